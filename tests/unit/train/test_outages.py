"""Disks that fill up and the umask: one sentence, nothing half-written, and what was computed stays.

A limit on the size of files stands for the full disk: the kernel refuses the write in the same way, and no privileges
are needed.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from click.testing import CliRunner
from safetensors import SafetensorError
from torch.distributed.checkpoint.api import CheckpointException

from medctx.model.base import prepare_base
from medctx.model.embedded import TINY
from medctx.model.tensor_file import system_errors
from medctx_train.checkpoints import export, training_state
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.cli import main
from medctx_train.config import SftConfig
from medctx_train.repair.config import ScaleConfig
from medctx_train.repair.run import repair
from medctx_train.sft import run as sft
from tests.support.made_adapters import make
from tests.support.made_training import settings


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def content(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), 28),
        (CheckpointException("write", {1: (OSError(30, "Read-only file system"), None)}), 30),  # type: ignore[dict-item]
        (OSError(122, "Disk quota exceeded"), 122),
    ],
)
def test_errors_that_libraries_wrap_are_those_of_the_system(error: BaseException, number: int, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as raised, system_errors(tmp_path / "place"):
        raise error
    assert (raised.value.errno, raised.value.filename) == (number, str(tmp_path / "place"))


def test_a_file_that_is_no_safetensors_is_no_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError, match="header"), system_errors(tmp_path):
        raise SafetensorError("Error while deserializing header: header too large")


@pytest.mark.parametrize("command", ["merge", "repair"])
def test_a_merge_or_repair_that_does_not_fit_leaves_nothing(
    command: str, strong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    make(strong, tmp_path / "run")
    arm = ["--set", "arm=scale", "--set", "alpha=0.5", "--set", "write=model"] if command == "repair" else []
    out = tmp_path / "out"
    with files_of_at_most(60_000):
        result = CliRunner().invoke(
            main, [command, "--set", f"adapter={tmp_path / 'run'}", *arm, "--out", str(out), "--json"]
        )
    assert result.exit_code == 2
    assert "would be larger than the file system allows; choose another folder with --out." in result.stderr
    assert "Traceback" not in result.stderr
    assert content(out) == ["result.json"]


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


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o007])
def test_checkpoints_and_models_get_the_permissions_that_the_umask_allows(
    mask: int, strong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    accelerator = Accelerator(cpu=True)
    model = torch.nn.Linear(4, 4)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    with umask(mask):
        adapter = make(strong, tmp_path / "run")
        prepare_base(TINY)
        merge(MergeConfig(adapter=adapter), tmp_path / "merged")
        repair(ScaleConfig(adapter=adapter, alpha=0.5), tmp_path / "repaired")
        training_state.save_training_state(tmp_path / "state", accelerator, model, optimizer, 1)
    for name in ("cache", "merged", "repaired", "state"):
        for path in (tmp_path / name).rglob("*"):
            allowed = (0o777 if path.is_dir() else 0o666) & ~mask
            # The digests of large files are the user's own, whatever the umask is.
            assert path.stat().st_mode & 0o777 == allowed or path.name == "file-digests.jsonl", path


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
