from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.io.jsonl import read_records
from medctx.model.identity import model_digest
from medctx.schemas.sft import TRAINING_LOG, StepLog
from medctx_train.checkpoints import training_state as checkpoint
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.sft.loop import learning_rate
from medctx_train.sft.run import train
from tests.support.made_training import settings


@pytest.fixture(autouse=True)
def _no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


def losses(folder: Path) -> list[float]:
    return [entry.loss for entry in read_records(folder / TRAINING_LOG, StepLog)]


def test_training_learns_and_merging_keeps_the_model_loadable(tiny: Path, mix: Path, tmp_path: Path) -> None:
    manifest = train(settings(tiny, mix, epochs=4), tmp_path / "run")
    assert manifest.last_loss < manifest.first_loss - 0.1
    assert set(next(read_records(tmp_path / "run" / TRAINING_LOG, StepLog)).by_source) == {"odd", "even"}
    merged = merge(MergeConfig(base=str(tiny), adapter=tmp_path / "run" / "adapter"), tmp_path / "merged")
    assert model_digest(merged) != model_digest(tiny)
    assert not (tmp_path / "run" / checkpoint.FOLDER).exists()


def test_full_fine_tuning_writes_a_checkpoint(tiny: Path, mix: Path, tmp_path: Path) -> None:
    manifest = train(settings(tiny, mix, method="full"), tmp_path / "run")
    assert (tmp_path / "run" / manifest.weights / "tokenizer.json").is_file()


def test_a_loss_that_is_no_number_stops_the_run(tiny: Path, mix: Path, tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match="lower learning_rate"):
        train(settings(tiny, mix, learning_rate=1e30, max_grad_norm=1e30, epochs=2), tmp_path / "run")


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    rates = [learning_rate(1.0, 0.2, step, 10) for step in range(10)]
    assert rates[:2] == [0.5, 1.0]
    assert rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.2
