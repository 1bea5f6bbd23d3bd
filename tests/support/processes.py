"""Training in processes of their own, which start quickly: forked from one that has imported everything and computed
nothing. They can be told to kill themselves, really, at a named place.
"""

from __future__ import annotations

import functools
import os
import signal
import socket
import types
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from medctx_train.config import SftConfig
from tests.support.forked import PATIENCE_S, context

DDP: Mapping[str, str] = {}


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(function: Callable[..., object], turn: int, *, before: bool) -> Callable[..., object]:
    """The function, whose ``turn``-th call (from 1) is the process's last."""
    calls = 0

    @functools.wraps(function)
    def last(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == turn and before:
            _kill()
        result = function(*arguments, **named)
        if calls == turn:
            _kill()
        return result

    return last


def _die_at(place: str) -> None:
    """Arrange the end at ``name:turn``, where name is one of the cases below."""
    import torch.distributed.checkpoint.filesystem as files

    from medctx_train.checkpoints import export, training_state
    from medctx_train.probe import retention
    from medctx_train.sft import run as sft
    from medctx_train.sft.callbacks import StepCallbacks
    from medctx_train.sft.logging import RunLog

    # A module of its own: the real os.replace also ends every other file that is written.
    training_state.os = renaming = types.SimpleNamespace(replace=os.replace)  # type: ignore[assignment]
    name, _, number = place.partition(":")
    cases: dict[str, tuple[object, str, bool]] = {
        "step": (RunLog, "step", False),
        "probe": (RunLog, "probe", False),
        "inside a checkpoint's file": (files, "_write_item", False),
        "before a checkpoint's name": (renaming, "replace", True),
        "after a checkpoint's name": (renaming, "replace", False),
        "before removing unretained states": (retention, "remove_unlisted", True),
        "after a step": (StepCallbacks, "after_step", False),
        "inside the weights": (export, "_gather", False),
        "before the manifest": (sft, "write_record", True),
    }
    where, attribute, before = cases[name]
    setattr(where, attribute, _dying(getattr(where, attribute), int(number), before=before))


def _shard_on_the_processor() -> None:
    """Let accelerate shard (FSDP2, DeepSpeed) without a GPU: it asks for one, though these and gloo do without."""
    import accelerate
    import torch
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        os.environ["DS_ACCELERATOR"] = "cpu"
        plain = accelerate.Accelerator
        # Told that it is on a CPU, accelerate leaves DeepSpeed out without a word.
        accelerate.Accelerator = lambda **named: plain(**{**named, "cpu": False})
    else:
        torch.distributed.init_process_group("gloo")
    PartialState._prepare_backend = lambda self, *_, **__: ("gloo", DistributedType.MULTI_GPU)
    PartialState.set_device = lambda self: setattr(self, "device", torch.device("cpu"))


def _train(config: SftConfig, out: Path, environment: dict[str, str], die_at: str) -> None:
    os.environ.update({"MEDCTX_TRACKING": "off", **environment})
    import torch

    from medctx_train.sft.run import train

    torch.set_num_threads(1)
    if "true" in (environment.get("ACCELERATE_USE_FSDP"), environment.get("ACCELERATE_USE_DEEPSPEED")):
        _shard_on_the_processor()
    if die_at:
        _die_at(die_at)
    train(config, out)


def _started(config: SftConfig, out: Path, environment: dict[str, str], die_at: str = "") -> BaseProcess:
    process = context.Process(target=_train, args=(config, out, environment, die_at))
    process.start()
    return process


def run(config: SftConfig, out: Path, die_at: str = "") -> int | None:
    """Train in one process; its exit code, -9 where it was killed."""
    process = _started(config, out, {}, die_at)
    process.join(PATIENCE_S)
    return process.exitcode


def run_together(
    config: SftConfig, out: Path, processes: int, die_at: str = "", strategy: Mapping[str, str] = DDP
) -> Sequence[int | None]:
    """Train in several processes of one launch; ``die_at``: where the last of them dies, upon which all are killed as
    a launcher does; ``strategy``: the variables that a launch config comes to.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes), **strategy}
    started = []
    for rank in range(processes):
        environment = {**common, "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(processes)}
        started.append(_started(config, out, environment, die_at if rank == processes - 1 else ""))
    started[-1].join(PATIENCE_S)
    for process in started[:-1]:
        if die_at:
            process.kill()
        process.join(PATIENCE_S)
    return [process.exitcode for process in started]
