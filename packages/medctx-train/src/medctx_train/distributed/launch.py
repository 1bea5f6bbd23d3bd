"""One process or many: what ``accelerate launch`` started, and what each of its processes may do.

A plain ``medctx-train sft`` is one process; ``accelerate launch -m medctx_train.cli sft`` the same command as many.
Only the main process writes, speaks and tracks; all of them must see the same output folder.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medctx.errors import MedctxError
from medctx.process.progress import console
from medctx_train.model.precision import autocasts
from medctx_train.sft.flops import Meter, peak_flops, work_of

T = TypeVar("T")

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from medctx_train.config import SftConfig


def is_main() -> bool:
    """Whether this process is the one that speaks; known from the environment, before anything is imported."""
    return int(os.environ.get("RANK", "0")) == 0


def _require_processes() -> None:
    """Refuse what ``accelerate launch --cpu`` makes of several processes without MPI: one, and not a word."""
    sizes = {"RANK", "WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"}
    asked = os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ
    if asked and not sizes & os.environ.keys():
        raise MedctxError(
            "accelerate launch --cpu starts one process only, whatever --num_processes says; leave --cpu out and give "
            '--config_file "$(medctx-train launch-configs cpu)".'
        )


def require_sharing(accelerator: Accelerator) -> None:
    """Refuse what accelerate makes of a launch that shares the weights out where it finds no GPU: one that does not,
    and not a word.
    """
    from accelerate.utils import DistributedType

    for variable, kind in (("DEEPSPEED", DistributedType.DEEPSPEED), ("FSDP", DistributedType.FSDP)):
        if os.environ.get(f"ACCELERATE_USE_{variable}") == "true" and accelerator.distributed_type != kind:
            raise MedctxError(
                f"The launch config asks for {kind.value}, which accelerate gives on GPUs only and there is none here; "
                'give --config_file "$(medctx-train launch-configs cpu)".'
            )


def start(config: SftConfig) -> Accelerator:
    """Join the processes of this launch."""
    import torch
    from accelerate import Accelerator
    from accelerate.utils import DistributedType

    console.quiet = not is_main()
    _require_processes()
    accelerator = Accelerator(mixed_precision="bf16" if autocasts(config) else "no", cpu=not torch.cuda.is_available())
    require_sharing(accelerator)
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        # Rows are handed over one by one and accumulated by the steps themselves; DeepSpeed clips by its own config.
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        settings["train_micro_batch_size_per_gpu"] = 1
        settings["gradient_clipping"] = config.max_grad_norm
    return accelerator


def meter(accelerator: Accelerator, model: torch.nn.Module) -> Meter:
    """What tells at which share of the devices' peak the steps of a model are done."""
    import torch

    name = torch.cuda.get_device_name(accelerator.device) if accelerator.device.type == "cuda" else ""
    return Meter(work_of(model), peak_flops(name), accelerator.num_processes)


def replicated(accelerator: Accelerator) -> bool:
    """Whether every process holds the whole model: one process, or several that exchange gradients only."""
    from accelerate.utils import DistributedType

    return accelerator.distributed_type not in {DistributedType.FSDP, DistributedType.DEEPSPEED}


def whole(accelerator: Accelerator, model: torch.nn.Module) -> AbstractContextManager[None]:
    """The weights of a loaded model in every process for a while: ZeRO-3 has them in shards from loading on, and
    brings them together by itself only once the model is prepared.
    """
    from accelerate.utils import DistributedType

    if accelerator.distributed_type != DistributedType.DEEPSPEED or accelerator.deepspeed_plugin.zero_stage != 3:
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[None] = deepspeed.zero.GatheredParameters(list(model.parameters()))
    return gathered


def from_main(accelerator: Accelerator, value: T) -> T:
    """The main process's value, in every process."""
    from accelerate.utils import broadcast_object_list

    found: list[T] = [value]
    broadcast_object_list(found)
    return found[0]


def require_shared(accelerator: Accelerator, out: Path) -> None:
    """Refuse a folder that not every host sees: checkpoints are written by all processes together."""
    out.mkdir(parents=True, exist_ok=True)
    if accelerator.num_processes == 1:
        return
    sign = out / ".shared"
    if accelerator.is_main_process:
        sign.touch()
    accelerator.wait_for_everyone()
    missing = not sign.is_file()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        sign.unlink()
    if missing:
        raise MedctxError(
            f"{out} is not the same folder for every process (process {accelerator.process_index} does not see what "
            "the main one wrote); give an --out on a file system that all hosts share."
        )
