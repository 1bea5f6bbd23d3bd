"""Weights and moments of a DeepSpeed run in safetensors, in place of DeepSpeed's pickles.

DeepSpeed partitions the float32 weights and the moments of its optimizer among processes. Its documented accessors
(``safe_get_full_fp32_param`` and so on) assemble one parameter at a time in every process; the main process keeps them
on the CPU and writes them. A checkpoint therefore fits any number of processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

FILE = "state.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq")


def _trained(accelerator: Accelerator, model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    unwrapped = accelerator.unwrap_model(model)
    return [(name, parameter) for name, parameter in unwrapped.named_parameters() if parameter.requires_grad]


def save(folder: Path, accelerator: Accelerator, model: torch.nn.Module) -> None:
    """Write the trained weights and their moments; called by every process."""
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in _trained(accelerator, model):
        whole = {"weights": safe_get_full_fp32_param(parameter)}
        whole |= {moment: safe_get_full_optimizer_state(parameter, moment) for moment in _MOMENTS}
        if accelerator.is_main_process:
            tensors |= {f"{part}.{name}": value.detach().float().cpu().contiguous() for part, value in whole.items()}
    if accelerator.is_main_process:
        save_file(tensors, folder / FILE, metadata={"format": "pt"})


def _set_steps(optimizer: Any, steps: int) -> None:
    """Set the number of steps that AdamW's bias correction counts, wherever the optimizer keeps it."""
    inner = getattr(optimizer, "optimizer", optimizer)
    for state in inner.state.values():
        if "step" in state:
            step = state["step"]
            state["step"] = step.fill_(steps) if hasattr(step, "fill_") else steps
    for group in inner.param_groups:
        if "step" in group:
            group["step"] = steps


def restore(folder: Path, accelerator: Accelerator, model: torch.nn.Module, steps: int) -> None:
    """Load the trained weights and their moments into the prepared model; called by every process."""
    import deepspeed
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state
    from safetensors import safe_open

    optimizer = accelerator.deepspeed_engine_wrapped.engine.optimizer
    if hasattr(optimizer, "_lazy_init_hp_params_optimizer_state"):
        # ZeRO-2 connects parameters with their moments in the first step otherwise.
        optimizer._lazy_init_hp_params_optimizer_state()
    with safe_open(folder / FILE, "pt", device=str(accelerator.device)) as stored:
        for name, parameter in _trained(accelerator, model):
            weight = stored.get_tensor(f"weights.{name}")
            safe_set_full_fp32_param(parameter, weight)
            for moment in _MOMENTS:
                safe_set_full_optimizer_state(parameter, stored.get_tensor(f"{moment}.{name}"), moment)
            # The weights that the model computes with, which the optimizer only overwrites in its next step.
            with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
                parameter.data.copy_(weight.to(parameter.dtype))
    _set_steps(optimizer, steps)
