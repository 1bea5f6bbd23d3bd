"""Ratios ``general:medical`` of a mixture, as configs and the names of cells write them."""

from __future__ import annotations

import re
from fractions import Fraction

_RATIO = re.compile(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")


def parse_ratio(text: str) -> tuple[Fraction, Fraction]:
    """Parse a ratio ``general:medical`` into two shares that sum to 1; raise ValueError for anything else."""
    match = _RATIO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"the ratio {text!r} is not general:medical; write for example 1:1, 9:1 or 0:1")
    general, medical = Fraction(match[1]), Fraction(match[2])
    if not general + medical:
        raise ValueError(f"the ratio {text!r} sums to nothing; at least one side must be above 0")
    return general / (general + medical), medical / (general + medical)


def general_share(ratio: str) -> float:
    """The general fraction of ``general:medical`` in [0, 1]. Raises ValueError for anything else."""
    general, _ = parse_ratio(ratio)
    return float(general)


def lowest_terms(ratio: str) -> str:
    """``2:2`` as ``1:1``, ``0.5:1.5`` as ``1:3``: the same mixture has one name. Raises ValueError for no ratio."""
    share, _ = parse_ratio(ratio)
    return f"{share.numerator}:{share.denominator - share.numerator}"
