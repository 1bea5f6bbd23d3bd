"""One process or many: what ``accelerate launch`` started, and what each of its processes may do.

A plain ``medctx-train sft`` is one process; ``accelerate launch -m medctx_train.cli sft`` the same command as many.
Only the main process writes, speaks and tracks; all of them must see the same output folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.progress import console

if TYPE_CHECKING:
    from accelerate import Accelerator

    from medctx_train.config import SftConfig


def is_main() -> bool:
    """Whether this process is the one that speaks; known from the environment, before anything is imported."""
    return int(os.environ.get("RANK", "0")) == 0


def start(config: SftConfig) -> Accelerator:
    """Join the processes of this launch."""
    import torch
    from accelerate import Accelerator
    from accelerate.utils import DistributedType

    console.quiet = not is_main()
    accelerator = Accelerator(mixed_precision=config.autocast, cpu=not torch.cuda.is_available())
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        # Rows are handed over one by one and accumulated by the steps themselves; DeepSpeed clips by its own config.
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        settings["train_micro_batch_size_per_gpu"] = 1
        settings["gradient_clipping"] = config.max_grad_norm
    return accelerator


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
