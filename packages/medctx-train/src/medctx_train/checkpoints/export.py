"""What a run leaves: an adapter, or the whole model with its tokenizer, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast

from medctx.text import tokenizer

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

NAMES = {"lora": "adapter", "qlora": "adapter", "full": "model"}


def _gathered(accelerator: Accelerator, model: torch.nn.Module, *, frozen: bool) -> dict[str, torch.Tensor]:
    """Weights by name, brought together on the main process's CPU; the frozen ones only where they are wanted."""
    from accelerate.utils import DistributedType

    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        whole: dict[str, torch.Tensor] = accelerator.get_state_dict(model)
        return whole
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=not frozen)
    return cast("dict[str, torch.Tensor]", get_model_state_dict(model, options=options))


def save(folder: Path, accelerator: Accelerator, model: torch.nn.Module, method: str, base: Path) -> None:
    """Write the trained weights into ``folder``, in the precision of the base; called by every process."""
    from transformers import AutoConfig

    state = _gathered(accelerator, model, frozen=method == "full")
    if accelerator.is_main_process:
        scratch = folder.with_name(f".{folder.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.parent.mkdir(parents=True, exist_ok=True)
        plain = accelerator.unwrap_model(model)
        if method == "full":
            # Trained in float32; what is kept of it is the precision its base was kept in.
            stored = AutoConfig.from_pretrained(base).dtype or plain.dtype
            state = {name: value.to(stored) for name, value in state.items()}
        plain.save_pretrained(scratch, state_dict=state)
        if method == "full":
            plain.config.dtype = stored
            plain.config.save_pretrained(scratch)
            tokenizer.load(base).save_pretrained(scratch)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(scratch, folder)
    accelerator.wait_for_everyone()
