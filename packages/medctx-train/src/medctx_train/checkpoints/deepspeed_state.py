"""Weights and moments of a DeepSpeed run in safetensors, in place of DeepSpeed's pickles.

DeepSpeed partitions the float32 weights and the moments of its optimizer among processes. Its documented accessors
(``safe_get_full_fp32_param`` and so on) assemble one parameter at a time in every process; the main process keeps them
on the CPU and writes them. A checkpoint therefore fits any number of processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from medctx.errors import MedctxError
from medctx.model.tensor_file import save_tensors

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

FILE = "state.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq")


def _trained(accelerator: Accelerator, model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    unwrapped = accelerator.unwrap_model(model)
    return [(name, parameter) for name, parameter in unwrapped.named_parameters() if parameter.requires_grad]


def save_deepspeed_state(folder: Path, accelerator: Accelerator, model: torch.nn.Module) -> None:
    """Write the trained weights and their moments; called by every process."""
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in _trained(accelerator, model):
        whole = {"weights": safe_get_full_fp32_param(parameter)}
        whole |= {moment: safe_get_full_optimizer_state(parameter, moment) for moment in _MOMENTS}
        if accelerator.is_main_process:
            tensors |= {f"{part}.{name}": value.detach().float().cpu().contiguous() for part, value in whole.items()}
    if accelerator.is_main_process:
        save_tensors(folder / FILE, tensors)


def _partitions(optimizer: Any) -> list[torch.Tensor]:
    """Return this process's flat float32 weights, which DeepSpeed's inner optimizer keeps its state by."""
    # ZeRO-3, ZeRO-1 and -2, and ZeRO-1 in bfloat16.
    for name in ("fp32_partitioned_groups_flat", "single_partition_of_fp32_groups", "fp32_groups_flat_partition"):
        if hasattr(optimizer, name):
            return list(getattr(optimizer, name))
    import deepspeed

    raise MedctxError(
        f"DeepSpeed {deepspeed.__version__} keeps its weights in a {type(optimizer).__name__}, which a run cannot be "
        "resumed with; use the launch config zero2, zero3 or fsdp2."
    )


def _make_state(optimizer: Any, steps: int) -> None:
    """Give every partition the state of AdamW after ``steps`` steps, its moments still zero.

    DeepSpeed leaves this to the first step of the optimizer, so that a new run has no moments to load into.
    """
    import torch

    inner = optimizer.optimizer
    for partition in _partitions(optimizer):
        state = inner.state[partition]
        for moment in _MOMENTS:
            if moment not in state:
                state[moment] = torch.zeros_like(partition.data)
        # Bias correction counts the steps: a tensor in PyTorch's AdamW, a number in those of DeepSpeed.
        kept = state.get("step", torch.tensor(0.0))
        state["step"] = torch.full_like(kept, steps) if isinstance(kept, torch.Tensor) else steps
    for group in inner.param_groups:
        if "step" in group:
            group["step"] = steps


def restore_deepspeed_state(folder: Path, accelerator: Accelerator, model: torch.nn.Module, steps: int) -> None:
    """Load the trained weights and their moments into the prepared model; called by every process."""
    import deepspeed
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state
    from safetensors import safe_open

    optimizer = accelerator.deepspeed_engine_wrapped.engine.optimizer
    _make_state(optimizer, steps)
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
