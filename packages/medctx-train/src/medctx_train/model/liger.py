"""Liger's Triton kernels, where there is a GPU to run them (Hsu et al., arXiv 2410.10989)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from medctx.errors import MedctxError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Liger = Literal["auto", "on", "off"]
"""``auto``: where the package, a GPU and kernels for the model's architecture are; ``on``: refused where they are
not."""


def use_liger(model: PreTrainedModel, wanted: Liger) -> bool:
    """Put Liger's Triton kernels for norms, rotary positions and MLPs into the model where wanted and possible.

    Its fused loss is left out: it gives one mean, and losses are told by sample here.
    """
    import torch

    if wanted == "off":
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
    if missing and wanted == "on":
        raise MedctxError(f"liger=on {missing}; set liger=auto.")
    if missing:
        return False
    from transformers.integrations.liger import apply_liger_kernel

    apply_liger_kernel(model, {"fused_linear_cross_entropy": False, "cross_entropy": False})
    return True
