"""Loading a causal language model, putting LoRA on it, and the loss of a packed row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from medctx.config import Config
from medctx_train.pack import IGNORED, Row, Tensors, tensors

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel


class LoraSettings(Config):
    """LoRA as PEFT takes it (Hu et al., arXiv 2106.09685); ``alpha / rank`` scales the update."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    use_dora: bool = False
    use_rslora: bool = False


Precision = Literal["auto", "bf16", "fp32"]


def load_model(folder: Path, precision: Precision = "auto") -> PreTrainedModel:
    """The model of a folder. ``auto`` keeps the stored precision, which is bfloat16 for nearly all models."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    kinds: dict[str, torch.dtype | str] = {"auto": "auto", "bf16": torch.bfloat16, "fp32": torch.float32}
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype=kinds[precision], attn_implementation="sdpa"
    )
    return model


def add_lora(model: PreTrainedModel, settings: LoraSettings, seed: int) -> PeftModel:
    """Freeze the model and put fresh adapters on it; adapters are kept in float32 while training."""
    import torch
    from peft import LoraConfig, get_peft_model

    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    torch.manual_seed(seed)
    return get_peft_model(
        model,
        LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=targets,
            use_dora=settings.use_dora,
            use_rslora=settings.use_rslora,
            task_type="CAUSAL_LM",
        ),
        autocast_adapter_dtype=True,
    )


def row_losses(model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
    """Cross entropy in nats of every token of the row that carries loss, shape (loss tokens,).

    Logits are computed at those positions alone: for short answers after long texts that is most of the
    vocabulary's cost saved.
    """
    import torch

    kept = (batch.labels[0] != IGNORED).nonzero().squeeze(-1)
    output = model(input_ids=batch.input_ids, position_ids=batch.position_ids, logits_to_keep=kept, use_cache=False)
    return torch.nn.functional.cross_entropy(output.logits[0].float(), batch.labels[0, kept], reduction="none")


def packing_gap(model: torch.nn.Module, row: Row) -> float:
    """Largest difference in nats between a member's mean loss inside the row and alone.

    Rounding gives thousandths; attention leaking across members gives tenths and more.
    """
    import torch

    with torch.no_grad():
        packed = row_losses(model, tensors(row))
        gap, begin = 0.0, 0
        for member in row.members:
            if not member.loss_tokens:
                continue
            alone = row_losses(model, tensors(Row((member,))))
            inside = packed[begin : begin + len(alone)]
            gap = max(gap, abs(float(alone.mean() - inside.mean())))
            begin += len(alone)
    return gap
