"""Numbers as people read them: accuracies in percent, differences in accuracy points."""

from __future__ import annotations

from medctx.schemas.statistics import Accuracy, Difference, Outcome

MINUS = "\N{MINUS SIGN}"


def percent(share: float) -> str:
    """0.4567 -> ``45.7``, without the percent sign."""
    return f"{100 * share:.1f}"


def points(value: float) -> str:
    """0.123 -> ``+12.3``; a difference that rounds to 0 has no sign."""
    rounded = round(100 * value, 1)
    if rounded == 0:
        return "0.0"
    return f"{'+' if rounded > 0 else MINUS}{abs(rounded):.1f}"


def accuracy_interval(accuracy: Accuracy) -> str:
    """``40.1 to 51.2``."""
    return f"{percent(accuracy.low)} to {percent(accuracy.high)}"


def difference_interval(difference: Difference) -> str:
    """Both ends signed: ``+1.2 to +3.4``."""
    return f"{points(difference.low)} to {points(difference.high)}"


def accuracy_with_interval(accuracy: Accuracy | None) -> str:
    """Accuracy and interval in percent, ``""`` without an accuracy."""
    return f"{percent(accuracy.value)} [{accuracy_interval(accuracy)}]" if accuracy else ""


def difference_with_interval(difference: Difference, outcome: Outcome) -> str:
    """Difference and interval in points, and its outcome in a word."""
    return f"{points(difference.value)} [{difference_interval(difference)}], {outcome}"


def p_value(value: float | None) -> str:
    """Three decimals, or ``<0.001``; empty for None."""
    if value is None:
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def comparison_sentence(cell: str, outcome: Outcome, other: str) -> str:
    """``1:1 gains over base``, ``1:1 and base not told apart``."""
    if outcome == "not told apart":
        return f"{cell} and {other} not told apart"
    return f"{cell} { {'gains': 'gains over', 'loses': 'loses to', 'equals': 'equals'}[outcome] } {other}"
