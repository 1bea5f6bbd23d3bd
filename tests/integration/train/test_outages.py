"""A training run whose disk fills up keeps what it computed, and what it writes has the permissions of the umask."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from click.testing import CliRunner

from medctx_train.checkpoints import export, training_state
from medctx_train.cli import main
from medctx_train.config import SftConfig
from medctx_train.sft import run as sft
from tests.support.limits import files_of_at_most, umask
from tests.support.made_training import settings


def test_a_run_whose_disk_fills_up_keeps_its_checkpoint_and_goes_on(
    tiny: Path, mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the second checkpoint, then at the trained weights, then there is room."""
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    config = settings(tiny, mix)
    straight = sft.train(config, tmp_path / "straight")
    out = tmp_path / "run"
    values = {**config.model_dump(mode="json"), "name": "run"}
    (tmp_path / "run.yaml").write_text(SftConfig.model_validate(values).model_dump_json())
    command = ["sft", "--config", str(tmp_path / "run.yaml"), "--out", str(out)]
    save, save_weights = training_state.save_training_state, export.save_weights

    def full_at_second(
        folder: Path, accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int
    ) -> None:
        with files_of_at_most(10**9 if step == config.checkpoint_every else 20_000):
            save(folder, accelerator, model, optimizer, step)

    def full_at_the_end(folder: Path, *rest: object) -> None:
        with files_of_at_most(20_000):
            save_weights(folder, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(training_state, "save_training_state", full_at_second)
        result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and "would be larger than the file system allows" in result.stderr, result.stderr
    assert [path.name for path in (out / "checkpoints").iterdir()] == [f"step-{config.checkpoint_every}"]
    with monkeypatch.context() as patch:
        patch.setattr(export, "save_weights", full_at_the_end)
        result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and "would be larger than the file system allows" in result.stderr, result.stderr
    assert not (out / "adapter").exists() and not (out / ".adapter").exists() and (out / "checkpoints").is_dir()
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.stderr
    assert sft.train(SftConfig.model_validate(values), out).weights_digest == straight.weights_digest


@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_trained_weights_get_the_permissions_that_the_umask_allows(
    mask: int, tiny: Path, mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    with umask(mask):
        sft.train(settings(tiny, mix, retention={"last": 1}), tmp_path / "run")
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert any(path.name == "adapter_model.safetensors" for path in files)
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path
