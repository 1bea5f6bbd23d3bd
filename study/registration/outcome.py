"""The registered prediction beside what was measured."""

from __future__ import annotations

from medctx.schemas.records import Record
from medctx.schemas.report import ReportCore
from medctx.schemas.study_plan import Contrast, Prediction, StudyPlan

OUTCOME_FILE = "primary.json"


class PrimaryOutcome(Record):
    """The primary contrast as predicted and as measured: value and ends of its 95 % interval, as shares of 1."""

    plan: str
    contrast: Contrast
    prediction: Prediction | None = None
    value: float
    low: float
    high: float

    @property
    def inside(self) -> bool | None:
        """Whether the measured value lies in the predicted range; None where nothing was predicted."""
        if self.prediction is None:
            return None
        return self.prediction.low <= self.value <= self.prediction.high

    @property
    def sentence(self) -> str:
        """Prediction and result in words."""
        measured = f"measured {_points(self.value)} [{_points(self.low)}, {_points(self.high)}] points"
        expected = self.prediction
        if expected is None:
            return f"{self.contrast.name}: {measured}; nothing was predicted (plan {self.plan})"
        return (
            f"{self.contrast.name}: predicted {_points(expected.expected)} [{_points(expected.low)}, "
            f"{_points(expected.high)}], {measured}, {'inside' if self.inside else 'outside'} the predicted range "
            f"(plan {self.plan})"
        )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def primary_outcome(plan: StudyPlan, digest: str, report: ReportCore) -> PrimaryOutcome | None:
    """The primary contrast in a report; None where the report has no such comparison.

    Args:
        plan: The registered plan.
        digest: What it is called.
        report: The report of the study.
    """
    key = (plan.primary.cell, plan.primary.against, plan.primary.axis, report.mode)
    found = next(
        (item for item in report.comparisons if (item.cell, item.other, item.part, item.mode) == key),
        None,
    )
    if found is None:
        return None
    difference = found.difference
    return PrimaryOutcome(
        plan=digest,
        contrast=plan.primary,
        prediction=plan.prediction,
        value=difference.value,
        low=difference.low,
        high=difference.high,
    )
