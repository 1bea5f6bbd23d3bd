"""In which precision an engine computes on the machine at hand."""

from __future__ import annotations

from typing import Literal

from medctx.process import cpu as processor

Precision = Literal["auto", "stored", "float32"]
"""``stored``: as the model is stored (what vLLM makes of that); ``float32``: the same weights, computed in float32;
``auto``: float32 on a processor that knows no half precision, where it is faster and more exact, else as stored.
"""


def in_float32(precision: Precision) -> bool:
    """Whether a model is computed in float32 here."""
    return precision == "float32" or (precision == "auto" and processor.bfloat16_is_slow())
