"""Loading a causal language model in the precision, attention and rotary positions of a run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medctx.errors import MedctxError
from medctx.model import rope as rope_files
from medctx.model.decoder_config import read_config, supports_sdpa
from medctx.process.foreign_code import may_run_foreign_code
from medctx_train.model import rope
from medctx_train.model.config import RopeSettings
from medctx_train.model.precision import Precision

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedConfig, PreTrainedModel


def _nf4() -> BitsAndBytesConfig:
    """Return the config of 4-bit NormalFloat with double quantisation."""
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


def _keep_differentiable(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking 4-bit weights for inference when the model is evaluated between training steps.

    On a CPU with AVX512-BF16, the first forward pass in evaluation mode (the self-test, a probe) would convert the
    weights to a layout for which there is no backward pass: gradients would then miss every path through the base's
    layers, without an error.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def load_config(folder: Path, scaling: RopeSettings) -> tuple[PreTrainedConfig, rope_files.RopeOverrides | None]:
    """Return the config of a model folder with its rotary positions scaled, and the keys that were changed."""
    config = read_config(folder)
    changes = rope.overrides(scaling, config)
    if changes:
        rope_files.apply(config, changes)
    return config, changes


def load_model(
    folder: Path,
    precision: Precision = "auto",
    *,
    attention: str = "sdpa",
    config: PreTrainedConfig | None = None,
) -> PreTrainedModel:
    """Load the model of a folder.

    Args:
        folder: Model folder.
        precision: Precision of the weights.
        attention: transformers' name of the attention implementation.
        config: Used instead of the folder's own config.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    if config is None:
        config = read_config(folder)
    dtypes: dict[str, torch.dtype | str] = {"auto": "auto", "bf16": torch.bfloat16, "fp32": torch.float32}
    options: dict[str, Any] = {"dtype": dtypes.get(precision, torch.bfloat16)}
    if precision == "nf4":
        device = torch.cuda.current_device() if torch.cuda.is_available() else "cpu"
        options |= {"quantization_config": _nf4(), "device_map": {"": device}}
    if attention == "sdpa" and not supports_sdpa(config):
        attention = "eager"
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder,
        attn_implementation=attention,
        config=config,
        use_safetensors=True,
        trust_remote_code=may_run_foreign_code(),
        **options,
    )
    if precision == "nf4":
        _keep_differentiable(model)
    return model
