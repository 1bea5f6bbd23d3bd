"""One process or several: joining the processes of an ``accelerate launch`` and coordinating them.

``medctx-train sft`` is one process; ``accelerate launch -m medctx_train.cli sft`` runs the same command in several.
Only the main process writes, logs and tracks. All processes must see the same output folder.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medctx.errors import MedctxError
from medctx.process.progress import console

T = TypeVar("T")

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


def is_main() -> bool:
    """Return True in the process that writes and logs; read from the environment, before torch is imported."""
    return int(os.environ.get("RANK", "0")) == 0


def _require_processes() -> None:
    """Refuse ``accelerate launch --cpu`` without MPI, which silently starts a single process."""
    sizes = {"RANK", "WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"}
    launched_on_cpu = os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ
    if launched_on_cpu and not sizes & os.environ.keys():
        raise MedctxError(
            "accelerate launch --cpu starts one process only, whatever --num_processes says; leave --cpu out and give "
            '--config_file "$(medctx-train launch-configs cpu)".'
        )


def require_sharding(accelerator: Accelerator) -> None:
    """Refuse a launch that should shard the weights but does not: without a GPU accelerate silently replicates them."""
    from accelerate.utils import DistributedType

    for variable, kind in (("DEEPSPEED", DistributedType.DEEPSPEED), ("FSDP", DistributedType.FSDP)):
        if os.environ.get(f"ACCELERATE_USE_{variable}") == "true" and accelerator.distributed_type != kind:
            raise MedctxError(
                f"The launch config asks for {kind.value}, which accelerate supports on GPUs only, and there is none "
                'here; give --config_file "$(medctx-train launch-configs cpu)".'
            )


def join_launch(*, bf16: bool, max_grad_norm: float) -> Accelerator:
    """Join the processes of this launch.

    Args:
        bf16: Compute matrix products in bfloat16.
        max_grad_norm: Norm that gradients are clipped to, which DeepSpeed has to know in advance.
    """
    import torch
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    console.quiet = not is_main()
    _require_processes()
    # accelerate keeps the precision of the first run of a process and refuses another one.
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision="bf16" if bf16 else "no", cpu=not torch.cuda.is_available())
    require_sharding(accelerator)
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        # The training loop passes and accumulates rows itself; DeepSpeed clips by its own config.
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        settings["train_micro_batch_size_per_gpu"] = 1
        settings["gradient_clipping"] = max_grad_norm
    return accelerator


def is_replicated(accelerator: Accelerator) -> bool:
    """Return True if every process holds the whole model: one process, or several that exchange gradients only."""
    from accelerate.utils import DistributedType

    return accelerator.distributed_type not in {DistributedType.FSDP, DistributedType.DEEPSPEED}


def is_deepspeed(accelerator: Accelerator) -> bool:
    """Return True if DeepSpeed holds the model and the optimizer."""
    from accelerate.utils import DistributedType

    return bool(accelerator.distributed_type == DistributedType.DEEPSPEED)


def gathered_weights(accelerator: Accelerator, model: torch.nn.Module) -> AbstractContextManager[None]:
    """Hold the whole weights of a loaded but not yet prepared model in every process.

    ZeRO-3 shards the weights from loading on and gathers them by itself only once the model is prepared.
    """
    from accelerate.utils import DistributedType

    if accelerator.distributed_type != DistributedType.DEEPSPEED or accelerator.deepspeed_plugin.zero_stage != 3:
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[None] = deepspeed.zero.GatheredParameters(list(model.parameters()))
    return gathered


def broadcast(accelerator: Accelerator, value: T) -> T:
    """Return the main process's value in every process."""
    from accelerate.utils import broadcast_object_list

    values: list[T] = [value]
    broadcast_object_list(values)
    return values[0]


def require_shared_folder(accelerator: Accelerator, out: Path) -> None:
    """Refuse an output folder that not every host sees: all processes write checkpoints into it."""
    out.mkdir(parents=True, exist_ok=True)
    if accelerator.num_processes == 1:
        return
    marker = out / ".shared"
    if accelerator.is_main_process:
        marker.touch()
    accelerator.wait_for_everyone()
    missing = not marker.is_file()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        marker.unlink()
    if missing:
        raise MedctxError(
            f"{out} is not the same folder for every process (process {accelerator.process_index} does not see what "
            "the main process wrote); give an --out on a file system that all hosts share."
        )
