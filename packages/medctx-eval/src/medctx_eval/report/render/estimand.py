"""What one number of an axis is, and what was registered, in words."""

from __future__ import annotations

from medctx.schemas.report import Registration
from medctx.schemas.study_plan import Estimand
from medctx_eval.report.load import parts
from medctx_eval.report.model import Report
from medctx_eval.stats.formatting import difference_interval, percent, points


def _parts(estimand: Estimand) -> str:
    several = len({part.exam for part in estimand.parts}) > 1
    names = [
        f"{part.exam}, {parts.title(part.condition)}" if several else parts.title(part.condition)
        for part in estimand.parts
    ]
    if len(estimand.parts) == 1:
        return names[0]
    if len({round(part.weight, 6) for part in estimand.parts}) == 1:
        return f"the mean of {'; '.join(names)}, weighed alike"
    shares = (f"{name} ({percent(part.weight)} %)" for name, part in zip(names, estimand.parts, strict=True))
    return f"the weighted mean of {'; '.join(shares)}"


def estimand_sentence(report: Report) -> str:
    """One sentence on both axes: ``reading is the mean of open, 256 tokens; open, 1,024 tokens, weighed alike.``."""
    clauses = []
    for estimand in report.estimands:
        clause = f"{estimand.axis} is {_parts(estimand)}"
        if estimand.measure != "accuracy":
            clause += ", and its difference to base that on taught items minus that on untaught ones"
        clauses.append(clause)
    return f"{'; '.join(clauses)}." if clauses else "correct / N."


def primary_sentence(registration: Registration) -> str:
    """The primary contrast, its prediction and its planned power."""
    difference, prediction, power = registration.difference, registration.prediction, registration.power
    sentence = f"Primary contrast of the plan: {registration.primary.name}"
    if difference is None or registration.outcome is None:
        sentence += ", not compared in this report"
    else:
        sentence += f": {registration.outcome}, {points(difference.value)} points ({difference_interval(difference)})"
    if prediction is not None:
        sentence += (
            f"; predicted were {points(prediction.expected)} ({points(prediction.low)} to {points(prediction.high)})"
            f"{registration.prediction_place}"
        )
    return (
        f"{sentence}. Planned power {power.power:.2f} for {percent(power.difference)} points; "
        f"{percent(power.detectable)} points are found with power {power.target:.2f}."
    )
