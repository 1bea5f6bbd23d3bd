"""Points a killed run resumes from: trained weights, optimizer and step, written whole or not at all.

PyTorch's distributed checkpoint writes them: every process its own part, in parallel, and a run may be continued by
another number of processes. DeepSpeed keeps its own format, which holds to the number of processes.
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


def _done(folder: Path) -> list[int]:
    """Steps of the whole checkpoints of a run, ascending."""
    return sorted(int(path.name.removeprefix(_PREFIX)) for path in (folder / FOLDER).glob(f"{_PREFIX}*"))


def exists(folder: Path) -> bool:
    """Whether a run has a checkpoint to go on from."""
    return bool(_done(folder))


def _is_deepspeed(accelerator: Accelerator) -> bool:
    from accelerate.utils import DistributedType

    return bool(accelerator.distributed_type == DistributedType.DEEPSPEED)


@contextmanager
def _quietly() -> Iterator[None]:
    """A single process has no process group, which is no news to anybody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Trained weights and the optimizer's moments by the weights' names, sharded as the processes hold them."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    weights, moments = get_state_dict(model, optimizer, options=StateDictOptions(ignore_frozen_params=True))
    return {"weights": weights, "optimizer": moments}


def save(
    folder: Path, accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Write the checkpoint after ``step`` optimizer steps and drop those before it; called by every process."""
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

        with _quietly():
            save_parts(_state(model, _inner(optimizer)), checkpoint_id=scratch)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        before = _done(folder)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(scratch, final)
        for old in before:
            if old != step:
                shutil.rmtree(folder / FOLDER / f"{_PREFIX}{old}")


def restore(folder: Path, accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the last whole checkpoint into the prepared model and optimizer; returns the steps done, 0 without one."""
    steps = _done(folder)
    if not steps:
        return 0
    path = folder / FOLDER / f"{_PREFIX}{steps[-1]}"
    if _is_deepspeed(accelerator):
        accelerator.load_state(str(path))
        return steps[-1]
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict
    from torch.distributed.checkpoint.state_dict_loader import load as load_parts

    inner = _inner(optimizer)
    with _quietly():
        state = _state(model, inner)
        load_parts(state, checkpoint_id=path)
        options = StateDictOptions(ignore_frozen_params=True, strict=False)
        set_state_dict(
            model, inner, model_state_dict=state["weights"], optim_state_dict=state["optimizer"], options=options
        )
    return steps[-1]


def _inner(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """PyTorch's optimizer below accelerate's wrapper."""
    found: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return found


def remove(folder: Path) -> None:
    """Drop the checkpoints of a finished run."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
