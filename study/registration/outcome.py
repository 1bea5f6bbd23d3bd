"""The registered prediction beside what the report found, in words and as numbers."""

from __future__ import annotations

from medctx.schemas.report import Registration


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def primary_sentence(registration: Registration) -> str:
    """Prediction and result of the primary contrast."""
    expected, found = registration.prediction, registration.difference
    predicted = (
        "nothing was predicted"
        if expected is None
        else f"predicted {_points(expected.expected)} [{_points(expected.low)}, {_points(expected.high)}]"
    )
    measured = (
        "not measured"
        if found is None
        else f"measured {_points(found.value)} [{_points(found.low)}, {_points(found.high)}] points"
    )
    place = {True: ", inside the predicted range", False: ", outside the predicted range", None: ""}
    return f"{registration.primary.name}: {predicted}, {measured}{place[registration.as_predicted]}"


def primary_metrics(registration: Registration) -> dict[str, float]:
    """The same as metrics, as shares of 1."""
    metrics = {} if registration.prediction is None else {"primary_predicted": registration.prediction.expected}
    found = registration.difference
    if found is None:
        return metrics
    return metrics | {"primary": found.value, "primary_low": found.low, "primary_high": found.high}
