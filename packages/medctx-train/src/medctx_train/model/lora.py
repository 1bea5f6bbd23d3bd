"""Adapters by PEFT: LoRA, DoRA, rank-stabilised LoRA, on whichever modules a run names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medctx.config.loading import Config
from medctx.errors import MedctxError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

ALL_LINEAR = "all-linear"
QUERY_KEY = "query-key"

QUERY_KEY_PAIRS = (("q_proj", "k_proj"), ("query", "key"), ("q_lin", "k_lin"), ("wq", "wk"))
"""How architectures name their query and key projections."""
_FUSED = ("qkv_proj", "query_key_value", "c_attn", "Wqkv", "in_proj", "qkv")


class LoraSettings(Config):
    """LoRA as PEFT takes it (Hu et al., arXiv 2106.09685); ``alpha / rank`` scales the update.

    ``targets``: names of modules, ``all-linear`` (every linear layer but the head), or ``query-key`` (the query and
    key projections alone, by the architecture's own names). ``use_dora``: weight-decomposed (arXiv 2402.09353);
    ``use_rslora``: scaled by ``alpha / sqrt(rank)`` (arXiv 2312.03732). Both may be set.
    """

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = ALL_LINEAR
    use_dora: bool = False
    use_rslora: bool = False


def target_modules(model: PreTrainedModel, targets: str | tuple[str, ...]) -> str | list[str]:
    """What PEFT is told to adapt; raises MedctxError for a name that no module of the model has."""
    if targets == ALL_LINEAR:
        return ALL_LINEAR
    leaves = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    kind = type(model).__name__
    if targets == QUERY_KEY:
        for pair in QUERY_KEY_PAIRS:
            if leaves.issuperset(pair):
                return list(pair)
        fused = next((name for name in _FUSED if name in leaves), "")
        if fused:
            raise MedctxError(
                f"lora.targets is {QUERY_KEY!r}, but {kind} computes query, key and value in one module ({fused}), so "
                f"they cannot be adapted apart; set lora.targets=[{fused}] or choose another base."
            )
        raise MedctxError(
            f"lora.targets is {QUERY_KEY!r}, but no module of {kind} is named as a query or key projection; name "
            "the modules instead, for example lora.targets=[q_proj,k_proj]."
        )
    wanted = [targets] if isinstance(targets, str) else list(targets)
    whole = {name for name, _ in model.named_modules()}
    for name in wanted:
        if name not in leaves and not any(path.endswith(f".{name}") for path in whole):
            linear = sorted({path.rpartition(".")[2] for path, module in model.named_modules() if _is_linear(module)})
            raise MedctxError(
                f"lora.targets names {name!r}, which no module of {kind} is called; its linear modules are: "
                f"{', '.join(linear)}."
            )
    return wanted


def _is_linear(module: object) -> bool:
    return type(module).__name__.startswith(("Linear", "Conv1D"))


def add_lora(model: PreTrainedModel, settings: LoraSettings, seed: int) -> PeftModel:
    """Freeze the model and put fresh adapters on it; adapters are kept in float32 while training."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    return get_peft_model(
        model,
        LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=target_modules(model, settings.targets),
            use_dora=settings.use_dora,
            use_rslora=settings.use_rslora,
            task_type="CAUSAL_LM",
        ),
        autocast_adapter_dtype=True,
    )
