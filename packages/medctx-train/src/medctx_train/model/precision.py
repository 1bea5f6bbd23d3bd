"""In which precision a run computes, and holds the weights of its base.

Products of matrices are in bfloat16 where the machine is quick at it. A processor that only converts bfloat16 takes
many times as long for them as in float32: there a run computes in float32 throughout, its base's weights too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from medctx.process import cpu as processor

if TYPE_CHECKING:
    from medctx_train.config import SftConfig
    from medctx_train.model.load import Precision

Autocast = Literal["auto", "bf16", "no"]
"""``bf16``: products in bfloat16, whatever the weights are; ``no``: as the weights are; ``auto``: ``bf16``, or float32
throughout where the processor knows no half precision."""


def all_float32(config: SftConfig) -> bool:
    """Whether ``auto`` comes to float32 throughout here."""
    return config.autocast == "auto" and processor.slow_at_halves()


def autocasts(config: SftConfig) -> bool:
    """Whether products are computed in bfloat16 whatever the weights are."""
    return config.autocast == "bf16" or (config.autocast == "auto" and not processor.slow_at_halves())


def precision(config: SftConfig) -> Precision:
    """How the base's weights are held: NF4 under QLoRA, float32 where they are trained (bfloat16 would round most
    updates away; matrix products are still in bfloat16 under autocast) or all is computed so, else as stored.
    """
    if config.method == "qlora":
        return "nf4"
    return "fp32" if config.method == "full" or all_float32(config) else "auto"
