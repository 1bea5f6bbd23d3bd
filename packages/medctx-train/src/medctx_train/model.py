"""Loading a causal language model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


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
