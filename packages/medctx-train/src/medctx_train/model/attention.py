"""Which attention implementation a run uses."""

from __future__ import annotations

from importlib.util import find_spec

from medctx.errors import MedctxError
from medctx_train.model.config import Attention

_FLASH = {"flash_attention_3": "flash_attn_interface", "flash_attention_2": "flash_attn"}


def attention_implementation(attention: Attention) -> str:
    """Return transformers' name of the attention to use on this machine.

    Raises:
        MedctxError: If the GPU or the package that ``attention`` needs is missing.
    """
    import torch

    on_gpu = torch.cuda.is_available()
    flash = next((name for name, package in _FLASH.items() if find_spec(package) is not None), "")
    if attention == "sdpa" or (attention == "auto" and not (on_gpu and flash)):
        return "sdpa"
    if attention == "flex":
        if not on_gpu:
            raise MedctxError(
                "attention=flex needs a GPU and there is none: PyTorch's FlexAttention computes no gradients on "
                "a CPU; set attention=sdpa."
            )
        return "flex_attention"
    if not on_gpu:
        raise MedctxError("attention=flash needs an NVIDIA GPU and there is none; set attention=auto or sdpa.")
    if not flash:
        raise MedctxError(
            "attention=flash needs the package flash-attn, which is not installed; install it or set attention=sdpa."
        )
    return flash
