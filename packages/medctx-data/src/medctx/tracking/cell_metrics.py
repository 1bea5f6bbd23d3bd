"""The numbers of a cell as metrics and as a table, which a registered version carries and ``verify`` checks."""

from __future__ import annotations

from medctx.schemas.report import ReportCore, Score

AXES = ("knowledge", "reading")
POOLED = "pooled_"
"""Prefix of numbers that are pooled over the training seeds of a cell."""
DIGEST_CHARS = 36
"""MLflow stores at most 36 characters of a data set's digest; the data set of a metric is its exam, by its key."""
DESCRIPTION_TAG = "medctx.description_digest"
"""Tag of a version with the digest of its description."""


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
        gain = None if cell.base else report.gain(cell.name, score.part)
        if gain is not None:
            metrics |= {
                f"{prefix}{part}_gain": gain.difference.value,
                f"{prefix}{part}_gain_low": gain.difference.low,
                f"{prefix}{part}_gain_high": gain.difference.high,
            }
    return metrics


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def score_lines(report: ReportCore, group: str) -> list[str]:
    """The scores of a cell beside those of its base as the lines of a Markdown table, as a model card shows them."""
    base = report.base_of(group)
    lines = ["| part | items | accuracy % [95 %] | base % | difference [95 %], points |", "|---|---:|---|---:|---|"]
    for score in parts_of(report, group):
        accuracy, gain, of_base = score.accuracy, report.gain(group, score.part), report.score(base, score.part)
        difference = gain.difference if gain else None
        span = f"[{_percent(accuracy.low)}, {_percent(accuracy.high)}]"
        shown = (
            f"{_points(difference.value)} [{_points(difference.low)}, {_points(difference.high)}]" if difference else ""
        )
        lines.append(
            f"| {score.part} | {accuracy.n} | {_percent(accuracy.value)} {span} | "
            f"{_percent(of_base.accuracy.value) if of_base else ''} | {shown} |"
        )
    return lines
