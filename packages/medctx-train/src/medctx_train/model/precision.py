"""The precision a run computes in, and the one it holds the weights of its base in.

Matrix products are in bfloat16 if the machine computes them fast. A CPU that only converts bfloat16 is many times
slower at them than in float32; there a run computes in float32 throughout, with the weights of the base in float32 too.
"""

from __future__ import annotations

from typing import Literal

from medctx.process import cpu
from medctx_train.model.config import Autocast, Method

Precision = Literal["auto", "bf16", "fp32", "nf4"]
"""``auto``: as stored, which is bfloat16 for nearly all models. ``nf4``: 4 bits with double quantisation, computed in
bfloat16 (QLoRA, Dettmers et al., arXiv 2305.14314)."""


def uses_bf16_autocast(autocast: Autocast) -> bool:
    """Return True if matrix products are computed in bfloat16, whatever the precision of the weights."""
    return autocast == "bf16" or (autocast == "auto" and not cpu.bfloat16_is_slow())


def base_precision(method: Method, autocast: Autocast) -> Precision:
    """Return the precision in which the weights of the base are held.

    NF4 under QLoRA; float32 under full fine-tuning (bfloat16 would round most updates away) and on a CPU that computes
    in float32 throughout; otherwise as stored.
    """
    if method == "qlora":
        return "nf4"
    float32_throughout = autocast == "auto" and cpu.bfloat16_is_slow()
    return "fp32" if method == "full" or float32_throughout else "auto"
