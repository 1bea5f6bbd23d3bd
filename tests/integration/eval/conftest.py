"""What several modules about servers share: short waits, no tracking, and a small exam of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx_eval.engines import client
from tests.support.exam_files import write_exam


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tracked, and a busy server is asked again at once."""
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setattr(client, "wait_exponential_jitter", lambda **_: lambda _state: 0.02)


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    return write_exam(tmp_path / "items.jsonl")
