"""The registered prediction beside what the report found, in words and as numbers."""

from __future__ import annotations

from medctx.schemas.report import Registration


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def primary_sentence(registration: Registration) -> str:
    """Prediction and result of the primary contrast."""
    expected, difference = registration.prediction, registration.difference
    predicted = (
        "nothing was predicted"
        if expected is None
        else f"predicted {_points(expected.expected)} [{_points(expected.low)}, {_points(expected.high)}]"
    )
    measured = (
        "not measured"
        if difference is None
        else f"measured {_points(difference.value)} [{_points(difference.low)}, {_points(difference.high)}] points"
    )
    return f"{registration.primary.name}: {predicted}, {measured}{registration.prediction_place}"


def primary_metrics(registration: Registration) -> dict[str, float]:
    """The same as metrics, as shares of 1."""
    metrics = {} if registration.prediction is None else {"primary_predicted": registration.prediction.expected}
    difference = registration.difference
    if difference is None:
        return metrics
    return metrics | {"primary": difference.value, "primary_low": difference.low, "primary_high": difference.high}
