"""Liger's Triton kernels, on a GPU (Hsu et al., arXiv 2410.10989)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx_train.model.config import Liger

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def apply_liger(model: PreTrainedModel, liger: Liger) -> bool:
    """Put Liger's kernels for norms, rotary positions and MLPs into the model if requested and possible.

    Its fused loss is not used: it returns one mean, and losses are reported by sample here.

    Returns:
        True if the kernels were applied.
    """
    import torch

    if liger == "off":
        return False
    missing = ""
    if not torch.cuda.is_available():
        missing = "needs a GPU and there is none"
    elif find_spec("liger_kernel") is None:
        missing = "needs the package liger-kernel, which is not installed"
    else:
        from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

        if model.config.model_type not in MODEL_TYPE_TO_APPLY_LIGER_FN:
            missing = f"has no kernels for models of type {model.config.model_type}"
    if missing and liger == "on":
        raise MedctxError(f"liger=on {missing}; set liger=auto.")
    if missing:
        return False
    from transformers.integrations.liger import apply_liger_kernel

    apply_liger_kernel(model, {"fused_linear_cross_entropy": False, "cross_entropy": False})
    return True
