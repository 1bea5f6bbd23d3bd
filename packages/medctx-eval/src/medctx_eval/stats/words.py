"""Numbers of the statistics as people read them: accuracies in per cent, differences in points."""

from __future__ import annotations

from medctx.schemas.report import Accuracy, Difference, Word

MINUS = "\N{MINUS SIGN}"


def percent(share: float) -> str:
    """0.4567 -> ``45.7``: per cent without the sign."""
    return f"{100 * share:.1f}"


def points(value: float) -> str:
    """0.123 -> ``+12.3``: a signed difference in accuracy points; what rounds to nothing has no sign."""
    rounded = round(100 * value, 1)
    if rounded == 0:
        return "0.0"
    return f"{'+' if rounded > 0 else MINUS}{abs(rounded):.1f}"


def accuracy_interval(found: Accuracy) -> str:
    """``40.1 to 51.2``."""
    return f"{percent(found.low)} to {percent(found.high)}"


def difference_interval(found: Difference) -> str:
    """Both ends signed: ``+1.2 to +3.4``."""
    return f"{points(found.low)} to {points(found.high)}"


def p_value(value: float) -> str:
    """Three decimals, and ``<0.001`` below."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def verb(word: Word) -> str:
    """With the preposition that the other model's name follows."""
    return {"gains": "gains over", "loses": "loses to", "ties with": "ties with"}[word]
