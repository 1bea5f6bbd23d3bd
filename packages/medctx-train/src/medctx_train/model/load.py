"""Loading a causal language model: precision, attention, quantisation and positions are settled before the weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medctx.errors import MedctxError
from medctx.model import rope as positions
from medctx_train.model import rope

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedConfig, PreTrainedModel

Precision = Literal["auto", "bf16", "fp32", "nf4"]
"""``auto``: as stored, which is bfloat16 for nearly all models. ``nf4``: QLoRA's 4 bits with double quantisation
(Dettmers et al., arXiv 2305.14314), computed in bfloat16."""


def _nf4() -> BitsAndBytesConfig:
    """4-bit NormalFloat with double quantisation; raises MedctxError without the package that computes it."""
    if find_spec("bitsandbytes") is None:
        raise MedctxError(
            "method=qlora needs the package bitsandbytes, which is not installed; run: "
            "pip install 'medctx-train[qlora]', or set method=lora."
        )
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def load_config(folder: Path, scaled: rope.RopeSettings) -> tuple[PreTrainedConfig, positions.RopeOverrides | None]:
    """The config of a model folder with its rotary positions scaled, and what was changed."""
    from transformers import AutoConfig

    config: PreTrainedConfig = AutoConfig.from_pretrained(folder)
    changed = rope.overrides(scaled, config)
    if changed:
        positions.apply(config, changed)
    return config, changed


def load_model(
    folder: Path,
    precision: Precision = "auto",
    *,
    attention: str = "sdpa",
    config: PreTrainedConfig | None = None,
) -> PreTrainedModel:
    """The model of a folder; ``attention`` by transformers' name, ``config`` in place of the folder's own."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    kinds: dict[str, torch.dtype | str] = {"auto": "auto", "bf16": torch.bfloat16, "fp32": torch.float32}
    options: dict[str, Any] = {"dtype": kinds.get(precision, torch.bfloat16)}
    if precision == "nf4":
        place = torch.cuda.current_device() if torch.cuda.is_available() else "cpu"
        options |= {"quantization_config": _nf4(), "device_map": {"": place}}
    if config is not None:
        options["config"] = config
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention, **options)
    return model
