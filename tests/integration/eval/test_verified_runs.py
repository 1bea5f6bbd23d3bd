"""Every finished run verifies, whatever its modes; a flipped bit of its verdicts or journal is named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from medctx.errors import MedctxError
from medctx.io.journal import Journal
from medctx.schemas.records import Reply
from medctx_eval.artifacts import run_folder
from medctx_eval.demo.server import DemoConfig, serve_models
from medctx_eval.report.load.collect import collect
from medctx_eval.run import examine
from medctx_eval.verify.recompute import verify_run

FLIPS = int(os.environ.get("MEDCTX_FLIPS", "40"))
"""The campaign of the release has 400 per kind: MEDCTX_FLIPS=400."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCTX_TRACKING", "off")
        with serve_models(DemoConfig(items=8)) as config:
            first, second = config.models[:2]
            modes = ("text", "text-raw", "text-prior", "letter", "generate", "choice")
            changes = {"models": (first, second), "modes": modes, "orders": 2}
            examine.examine(config.model_copy(update=changes), root)
    return root


def folders(root: Path) -> list[Path]:
    return sorted(file.parent for file in root.glob("*/exam.json"))


def test_runs_in_every_mode_verify(runs: Path) -> None:
    for folder in folders(runs):
        check = verify_run(folder)
        assert check.verdicts == run_folder.read_run(folder).manifest.n > 0


def _flips(file: Path) -> Iterator[None]:
    """Flip one random bit of a file at a time, and flip it back."""
    whole, random = file.read_bytes(), Random(file.name)
    for _ in range(FLIPS):
        content = bytearray(whole)
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        file.write_bytes(content)
        yield
    file.write_bytes(whole)


def test_no_flipped_bit_of_verdicts_is_compared_in_silence(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    pair = folders(tmp_path / "runs")
    before = collect(pair)
    for _ in _flips(pair[0] / run_folder.VERDICTS):
        with pytest.raises(MedctxError, match=r"was changed after exam.json was written"):
            collect(pair)
    assert collect(pair).modes.keys() == before.modes.keys()


def test_no_flipped_bit_of_a_journal_is_continued_in_silence(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    file = folders(tmp_path / "runs")[0] / run_folder.REPLIES
    for _ in _flips(file):
        with (
            pytest.raises(MedctxError, match=r"replies\.jsonl:\d+ (was changed|has no checksum)"),
            Journal(file, Reply),
        ):
            pass
    with Journal(file, Reply) as journal:
        assert len(journal.records) > 0
