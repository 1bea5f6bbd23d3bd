"""What holds a whole study together."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from study.pipeline import only_one


def test_a_study_runs_once_at_a_time_and_different_ones_side_by_side(tmp_path: Path) -> None:
    first, other = tmp_path / "one", tmp_path / "other"
    first.mkdir()
    other.mkdir()
    with (
        only_one(first, "one"),
        only_one(other, "other"),
        pytest.raises(MedctxError, match=r"The study one is running already in .*; wait for it, stop it, or choose"),
        only_one(first, "one"),
    ):
        pass
    with only_one(first, "one"):
        assert list(first.iterdir()) == [], "what the tracker is given has no lock in it"
