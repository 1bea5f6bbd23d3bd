"""The numbers of a cell as metrics, which its run and its registered version carry and ``verify`` checks."""

from __future__ import annotations

from medctx.schemas.exam_run import ExamManifest
from medctx.schemas.report import ReportCore, Score
from medctx.schemas.study_plan import PlanAxis

AXES: tuple[PlanAxis, ...] = ("knowledge", "reading")
POOLED = "pooled_"
"""Prefix of numbers that are pooled over the training seeds of a cell."""
DIGEST_CHARS = 36
"""MLflow stores at most 36 characters of a data set's digest."""
DESCRIPTION_TAG = "medctx.description_digest"
"""Tag of a version, or of a registered model, with the digest of its description."""
CARD_TAG = "medctx.card_digest"
"""Tag of a version with the digest of the README in its adapter's folder."""
DECISION_TAG = "medctx.decision_digest"
"""Tag of a version with the digest of the decision of its report."""


def exam_digest(manifest: ExamManifest) -> str:
    """The digest of the data set of an exam's metrics: that of the exam plan, the same for all models that it asked."""
    return (manifest.exam_plan.rpartition("-")[2] or manifest.key)[:DIGEST_CHARS]


def parts_of(report: ReportCore, group: str) -> list[Score]:
    """The scores of a cell in the headline mode: both axes first, then the Conditions with all depths together."""
    scores = [score for score in report.scores if (score.cell, score.mode) == (group, report.mode)]
    axes = [score for axis in AXES for score in scores if score.part == axis]
    return axes + [score for score in scores if score not in axes and score.part.count(":") < 2]


def cell_metrics(report: ReportCore, group: str, run: str) -> dict[str, float]:
    """Accuracies in [0, 1] and gains over the base of one cell, with the ends of their 95 % intervals.

    A cell with one training run has these as its own metrics. With several seeds the accuracy of the cell's own run
    keeps the plain name; what is pooled over the seeds, intervals and gains included, begins with ``pooled_``.

    Args:
        report: The report.
        group: Name of the cell in it.
        run: Name of the cell's own run.

    Returns:
        Values by name; empty if the report has no such cell.
    """
    cell = next((cell for cell in report.cells if cell.name == group), None)
    if cell is None:
        return {}
    names = [run_of_cell.name for run_of_cell in cell.runs]
    several = len(names) > 1
    prefix = POOLED if several else ""
    metrics: dict[str, float] = {}
    for score in parts_of(report, group):
        part, accuracy = score.part.replace(":", "."), score.accuracy
        if several and run in names and len(score.seeds) == len(names):
            metrics[part] = score.seeds[names.index(run)]
        metrics |= {
            f"{prefix}{part}": accuracy.value,
            f"{prefix}{part}_low": accuracy.low,
            f"{prefix}{part}_high": accuracy.high,
            f"{prefix}{part}_n": float(score.n),
        }
        if not cell.base:
            metrics |= _gain(report, cell.name, score.part, prefix)
    for axis in AXES:
        if not cell.base and report.measure(axis) != axis:
            metrics |= _gain(report, cell.name, report.measure(axis), prefix)
    return metrics


def _gain(report: ReportCore, cell: str, part: str, prefix: str) -> dict[str, float]:
    """The difference of a cell to its base on one part; empty if there is none."""
    gain = report.gain(cell, part)
    if gain is None:
        return {}
    name, difference = f"{prefix}{part.replace(':', '.')}_gain", gain.difference
    return {name: difference.value, f"{name}_low": difference.low, f"{name}_high": difference.high}
