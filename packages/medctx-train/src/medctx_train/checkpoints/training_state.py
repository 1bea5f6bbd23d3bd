"""Checkpoints that a killed run resumes from: trained weights and optimizer moments, written whole or not at all.

A checkpoint is a folder of safetensors files and ``checkpoint.json``, which states their SHA-256. There is no pickle in
it, and a folder that holds any other file is refused before anything is loaded: unpickling a file runs code.

PyTorch's distributed checkpoint writes and reads the files: every process its own part, in parallel, and a run may be
resumed by another number of processes. Only tensors are stored. The rest of the optimizer follows from the config, the
number of steps, and the learning rate of each step; random draws are seeded by step and row, so there is no random
state. DeepSpeed's own checkpoints are pickles; its weights and moments are gathered parameter by parameter instead.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.atomic import follow_umask
from medctx.io.jsonl import read_record, write_record
from medctx.model.tensor_file import system_errors
from medctx.schemas.records import Record
from medctx_train.distributed import launch

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

FOLDER = "checkpoints"
INDEX = "checkpoint.json"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""State of AdamW beside the number of steps."""
_PREFIX = "step-"


class CheckpointIndex(Record):
    """The content of a checkpoint.

    Attributes:
        step: Optimizer steps done.
        files: SHA-256 of every file by name.
    """

    step: int
    files: dict[str, str]


def _checkpointed_steps(folder: Path) -> list[int]:
    """Return the steps of the complete checkpoints of a run, ascending."""
    names = [path.name.removeprefix(_PREFIX) for path in (folder / FOLDER).glob(f"{_PREFIX}*")]
    return sorted(int(name) for name in names if name.isdecimal())


def exists(folder: Path) -> bool:
    """Return True if a run has a checkpoint to resume from."""
    return bool(_checkpointed_steps(folder))


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress the warning that a single process has no process group."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return trained weights and the optimizer's state by weight name, sharded as the processes hold them."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    weights, moments = get_state_dict(model, optimizer, options=StateDictOptions(ignore_frozen_params=True))
    return {"weights": weights, "optimizer": moments}


def _tensors(state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors of a state by the names they are stored under; they share memory with it.

    Of weights that share memory (a head tied to the embedding) the first is stored; loading it fills both.
    """
    tensors: dict[str, torch.Tensor] = {}
    stored: set[int] = set()
    for name, tensor in state["weights"].items():
        local = tensor.to_local() if hasattr(tensor, "to_local") else tensor
        place = local.untyped_storage().data_ptr()
        if not place or place not in stored:
            tensors[f"weights.{name}"] = tensor
            stored.add(place)
    for name, moments in state["optimizer"]["state"].items():
        tensors |= {f"{moment}.{name}": moments[moment] for moment in MOMENTS}
    return tensors


def save_training_state(
    folder: Path, accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Write the checkpoint after ``step`` optimizer steps and remove earlier ones; called by every process."""
    final = folder / FOLDER / f"{_PREFIX}{step}"
    scratch = final.with_name(f".{final.name}")
    if accelerator.is_main_process:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    accelerator.wait_for_everyone()
    try:
        if launch.is_deepspeed(accelerator):
            from medctx_train.checkpoints import deepspeed_state

            deepspeed_state.save_deepspeed_state(scratch, accelerator, model)
        else:
            _save_parts(scratch, _tensors(_state(model, _unwrap(optimizer))))
    except OSError:
        # Half a checkpoint would keep a full disk full; the last whole one stays.
        if accelerator.is_main_process:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        files = {path.name: digest.of_file(path) for path in sorted(scratch.iterdir())}
        follow_umask(scratch)
        write_record(scratch / INDEX, CheckpointIndex(step=step, files=files))
        earlier = _checkpointed_steps(folder)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(scratch, final)
        for old in earlier:
            if old != step:
                shutil.rmtree(folder / FOLDER / f"{_PREFIX}{old}")


def _save_parts(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save as save_parts

    with _without_warnings(), system_errors(folder):
        save_parts(tensors, storage_writer=HuggingFaceStorageWriter(str(folder), save_distributed=True))


def _load_parts(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load as load_parts

    with _without_warnings(), system_errors(folder):
        load_parts(tensors, storage_reader=HuggingFaceStorageReader(str(folder)))


def verify_training_state(checkpoint: Path) -> None:
    """Verify the files of a checkpoint before any of them is loaded.

    Raises:
        MedctxError: If a file is missing, was changed, or was not written with the checkpoint.
    """
    remedy = f"remove {checkpoint} to start over"
    index = read_record(checkpoint / INDEX, CheckpointIndex)
    names = {path.name for path in checkpoint.iterdir()} - {INDEX}
    if strange := sorted(names - index.files.keys()):
        raise MedctxError(
            f"The checkpoint {checkpoint} holds {strange[0]}, which this run did not write and which is not loaded, "
            f"since loading it could run code; remove that file, or {remedy}."
        )
    if missing := sorted(index.files.keys() - names):
        raise MedctxError(f"The checkpoint {checkpoint} lacks {missing[0]}; restore that file, or {remedy}.")
    if checkpoint.name != f"{_PREFIX}{index.step}":
        raise MedctxError(f"{checkpoint / INDEX} states step {index.step}, which is not that of its folder; {remedy}.")
    for name, expected in index.files.items():
        if digest.of_file(checkpoint / name) != expected:
            raise MedctxError(
                f"{checkpoint / name} was changed after the checkpoint was written (its digest differs); {remedy}."
            )


def _verify_once(accelerator: Accelerator, checkpoint: Path) -> None:
    """Verify a checkpoint in the main process; raise the same error in all processes."""
    problem = ""
    if accelerator.is_main_process:
        try:
            verify_training_state(checkpoint)
        except MedctxError as error:
            problem = str(error)
    if problem := launch.broadcast(accelerator, problem):
        raise MedctxError(problem)


def restore_training_state(
    folder: Path, accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    """Load the last complete checkpoint into the prepared model and optimizer.

    Returns:
        The number of steps done; 0 without a checkpoint.

    Raises:
        MedctxError: If the checkpoint is damaged or holds files that this run did not write.
    """
    steps = _checkpointed_steps(folder)
    if not steps:
        return 0
    step = steps[-1]
    checkpoint = folder / FOLDER / f"{_PREFIX}{step}"
    _verify_once(accelerator, checkpoint)
    if launch.is_deepspeed(accelerator):
        from medctx_train.checkpoints import deepspeed_state

        deepspeed_state.restore_deepspeed_state(checkpoint, accelerator, model, step)
        return step
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

    inner = _unwrap(optimizer)
    with _without_warnings():
        state = _state(model, inner)
        _load_parts(checkpoint, _tensors(state))
        for moments in state["optimizer"]["state"].values():
            moments["step"].fill_(step)
        options = StateDictOptions(ignore_frozen_params=True, strict=False)
        set_state_dict(
            model, inner, model_state_dict=state["weights"], optim_state_dict=state["optimizer"], options=options
        )
    return step


def _unwrap(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Return PyTorch's optimizer inside accelerate's wrapper."""
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner


def remove(folder: Path) -> None:
    """Remove the checkpoints of a finished run."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
