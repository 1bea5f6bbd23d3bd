"""Checkpoints that a killed run resumes from: trained weights, optimizer and step, written whole or not at all.

PyTorch's distributed checkpoint writes them: every process its own part, in parallel, and a run may be resumed by
another number of processes. DeepSpeed writes its own format, which is tied to the number of processes.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

FOLDER = "checkpoints"
_PREFIX = "step-"


def _checkpointed_steps(folder: Path) -> list[int]:
    """Return the steps of the complete checkpoints of a run, ascending."""
    return sorted(int(path.name.removeprefix(_PREFIX)) for path in (folder / FOLDER).glob(f"{_PREFIX}*"))


def exists(folder: Path) -> bool:
    """Return True if a run has a checkpoint to resume from."""
    return bool(_checkpointed_steps(folder))


def _is_deepspeed(accelerator: Accelerator) -> bool:
    from accelerate.utils import DistributedType

    return bool(accelerator.distributed_type == DistributedType.DEEPSPEED)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress the warning that a single process has no process group."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return trained weights and optimizer moments by weight name, sharded as the processes hold them."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    weights, moments = get_state_dict(model, optimizer, options=StateDictOptions(ignore_frozen_params=True))
    return {"weights": weights, "optimizer": moments}


def save(
    folder: Path, accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Write the checkpoint after ``step`` optimizer steps and remove earlier ones; called by every process."""
    final = folder / FOLDER / f"{_PREFIX}{step}"
    scratch = final.with_name(f".{final.name}")
    if accelerator.is_main_process:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    accelerator.wait_for_everyone()
    if _is_deepspeed(accelerator):
        accelerator.save_state(str(scratch))
    else:
        from torch.distributed.checkpoint.state_dict_saver import save as save_parts

        with _without_warnings():
            save_parts(_state(model, _unwrap(optimizer)), checkpoint_id=scratch)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        earlier = _checkpointed_steps(folder)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(scratch, final)
        for old in earlier:
            if old != step:
                shutil.rmtree(folder / FOLDER / f"{_PREFIX}{old}")


def restore(folder: Path, accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the last complete checkpoint into the prepared model and optimizer.

    Returns:
        The number of steps done; 0 without a checkpoint.
    """
    steps = _checkpointed_steps(folder)
    if not steps:
        return 0
    path = folder / FOLDER / f"{_PREFIX}{steps[-1]}"
    if _is_deepspeed(accelerator):
        accelerator.load_state(str(path))
        return steps[-1]
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict
    from torch.distributed.checkpoint.state_dict_loader import load as load_parts

    inner = _unwrap(optimizer)
    with _without_warnings():
        state = _state(model, inner)
        load_parts(state, checkpoint_id=path)
        options = StateDictOptions(ignore_frozen_params=True, strict=False)
        set_state_dict(
            model, inner, model_state_dict=state["weights"], optim_state_dict=state["optimizer"], options=options
        )
    return steps[-1]


def _unwrap(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Return PyTorch's optimizer inside accelerate's wrapper."""
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner


def remove(folder: Path) -> None:
    """Remove the checkpoints of a finished run."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
