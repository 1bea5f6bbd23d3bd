"""No test of these tracks, or reads a cache that another one has filled."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path_factory.mktemp("cache")))
