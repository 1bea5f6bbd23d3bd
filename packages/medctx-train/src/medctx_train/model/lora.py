"""LoRA, DoRA and rank-stabilised LoRA adapters through PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx_train.model.config import ALL_LINEAR, QUERY_KEY, LoraSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

QUERY_KEY_PAIRS = (("q_proj", "k_proj"), ("query", "key"), ("q_lin", "k_lin"), ("wq", "wk"))
"""Names of the query and key projections in different architectures."""
_FUSED_MAMBA = frozenset({"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"})
_FUSED = ("qkv_proj", "query_key_value", "c_attn", "Wqkv", "in_proj", "qkv")


def _query_key_modules(leaves: set[str], architecture: str) -> list[str]:
    for pair in QUERY_KEY_PAIRS:
        if leaves.issuperset(pair):
            return list(pair)
    fused = next((name for name in _FUSED if name in leaves), "")
    if fused:
        raise MedctxError(
            f"lora.targets is {QUERY_KEY!r}, but {architecture} computes query, key and value in one module ({fused}), "
            f"so they cannot be adapted separately; set lora.targets=[{fused}] or choose another base."
        )
    raise MedctxError(
        f"lora.targets is {QUERY_KEY!r}, but no module of {architecture} has the name of a query or key projection; "
        "name the modules instead, for example lora.targets=[q_proj,k_proj]."
    )


def target_modules(model: PreTrainedModel, targets: str | tuple[str, ...]) -> str | list[str]:
    """Return PEFT's ``target_modules`` for the config's ``lora.targets``.

    Raises:
        MedctxError: If no module of the model has one of the names.
    """
    if targets == ALL_LINEAR:
        return ALL_LINEAR
    paths = {path for path, _ in model.named_modules()}
    leaves = {path.rpartition(".")[2] for path in paths}
    architecture = type(model).__name__
    if targets == QUERY_KEY:
        return _query_key_modules(leaves, architecture)
    names = [targets] if isinstance(targets, str) else list(targets)
    for name in names:
        if name not in leaves and not any(path.endswith(f".{name}") for path in paths):
            linear = sorted({path.rpartition(".")[2] for path, module in model.named_modules() if _is_linear(module)})
            raise MedctxError(
                f"lora.targets names {name!r}, but {architecture} has no module of that name; its linear modules are: "
                f"{', '.join(linear)}."
            )
    return names


def _excluded(model: PreTrainedModel, targets: str | tuple[str, ...]) -> list[str] | None:
    """Modules that all-linear leaves out: fused kernels of Mamba read past an adapter on them, so PEFT refuses it."""
    mamba = model.config.model_type in _FUSED_MAMBA
    return ["out_proj", "conv1d"] if mamba and targets == ALL_LINEAR else None


def _is_linear(module: object) -> bool:
    return type(module).__name__.startswith(("Linear", "Conv1D"))


def add_lora(model: PreTrainedModel, settings: LoraSettings, seed: int) -> PeftModel:
    """Freeze the model and add new adapters, which are held in float32 during training."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=target_modules(model, settings.targets),
        exclude_modules=_excluded(model, settings.targets),
        use_dora=settings.use_dora,
        use_rslora=settings.use_rslora,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config, autocast_adapter_dtype=True)
    except ValueError as error:
        # PEFT adapts the stacked weights of experts without dropout and without DoRA.
        reason = (str(error).splitlines() or ["no reason given"])[0].rstrip(".")
        raise MedctxError(
            f"PEFT cannot adapt {type(model).__name__} so ({reason}); set lora.dropout=0 and lora.use_dora=false, or "
            "name the modules in lora.targets."
        ) from None
