"""Disks that fill up and the umask: one sentence, nothing half-written, and what was computed stays.

A limit on the size of files stands for the full disk: the kernel refuses the write in the same way, and no privileges
are needed.
"""

from __future__ import annotations

import os
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
from medctx_train.checkpoints import training_state
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.cli import main
from medctx_train.repair.config import ScaleConfig
from medctx_train.repair.run import repair
from tests.support.limits import files_of_at_most, umask
from tests.support.made_adapters import make


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
