"""Ratios, sizes and amounts as people write them."""

from __future__ import annotations

import re
from fractions import Fraction

_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?) ?([bm])(?![a-z0-9])", re.IGNORECASE)


def ratio_of(share: float, finest: int = 100) -> str:
    """A share in [0, 1] as the simplest ratio of parts of at most ``finest``: 0.75 is ``3:1``."""
    exact = Fraction(share).limit_denominator(finest)
    return f"{exact.numerator}:{exact.denominator - exact.numerator}"


def size_in(label: str) -> float | None:
    """Parameters as a model's name tells them: ``Qwen1.5-7B`` 7e9, ``smollm2-135m-instruct`` 135e6."""
    matches = _SIZE.findall(label)
    if not matches:
        return None
    digits, unit = matches[-1]
    return float(digits) * (1e9 if unit.lower() == "b" else 1e6)


def size_name(parameters: float) -> str:
    """7e9 as ``7B``, 135e6 as ``135M``."""
    return f"{parameters / 1e9:g}B" if parameters >= 1e9 else f"{parameters / 1e6:g}M"


def number(value: float) -> str:
    """Three digits that count, and thousands apart."""
    return f"{float(f'{value:.3g}'):,.10g}"


def signed_points(value: float) -> str:
    """A difference of accuracies in points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")
