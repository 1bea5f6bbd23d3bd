"""A comparison for the terminal: two tables of at most 80 columns, and the notes below them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from medctx.schemas.report import READING
from medctx.schemas.statistics import FEW_CLUSTERS, MIN_CLUSTERS
from medctx_eval.report.exam_comparison import ExamComparison
from medctx_eval.report.load.parts import title
from medctx_eval.stats.formatting import (
    accuracy_interval,
    comparison_sentence,
    difference_interval,
    p_value,
    percent,
    points,
)


def _table(leading: int) -> Table:
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, leading=leading)


def accuracy_table(comparison: ExamComparison) -> Table:
    """One row per part and cell: accuracy in percent with its interval, items, clusters and training seeds."""
    table = _table(0)
    table.add_column("part", max_width=24)
    table.add_column("cell")
    for heading in ("%", "95 % interval", "n", "clusters", "seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for part in comparison.parts:
        for place, cell in enumerate(comparison.cells):
            accuracy = comparison.accuracy(cell.name, part)
            if accuracy is None:
                continue
            name = f"{cell.name} (base)" if cell.base and cell.name != "base" else cell.name
            values = (
                title(part) if place == 0 else "",
                name,
                percent(accuracy.value),
                accuracy_interval(accuracy),
                f"{accuracy.n:,}",
                f"{accuracy.clusters:,}",
                f"{accuracy.seeds}",
            )
            table.add_row(*map(Text, values))
        table.add_section()
    return table


def difference_table(comparison: ExamComparison) -> Table:
    """One row per pair and part: points with their interval, detectable difference, and P values."""
    table = _table(1)
    table.add_column("comparison", min_width=19)
    table.add_column("part", max_width=15)
    for heading in ("points", "detects", "p\nHolm", "McNemar"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in comparison.differences:
        difference = row.difference
        values = (
            comparison_sentence(row.cell, row.outcome, row.other),
            title(row.part),
            f"{points(difference.value)}\n{difference_interval(difference)}",
            percent(difference.detectable),
            f"{p_value(difference.p)}\n{p_value(row.p_holm)}",
            p_value(difference.p_mcnemar),
        )
        table.add_row(*map(Text, values))
    return table


def _variance_notes(comparison: ExamComparison) -> Iterator[str]:
    """Which sources of variance the intervals include."""
    differences = [row.difference for row in comparison.differences]
    if any(difference.seed_error is not None for difference in differences):
        runs = min(difference.seeds for difference in differences)
        yield (
            "Intervals and P values include the variance of items and of training seeds (at least "
            f"{runs} per trained cell)."
        )
    else:
        yield (
            "One training seed per cell: intervals and P values do not include the variance of training seeds; another "
            "seed may give another result."
        )
    clusters = min(difference.clusters for difference in differences)
    if clusters < MIN_CLUSTERS:
        yield f"Only {clusters} clusters: below {MIN_CLUSTERS} no difference is called a gain or a loss."
    elif clusters < FEW_CLUSTERS:
        yield f"Only {clusters} clusters: intervals are corrected for this, but less reliable below {FEW_CLUSTERS}."


def _margin_notes(comparison: ExamComparison) -> Iterator[str]:
    for row in comparison.differences:
        if row.part == READING:
            verb = "is not worse" if row.equivalence.not_worse else "may be worse"
            p = p_value(row.equivalence.p_not_worse)
            yield f"{row.cell} {verb} than {row.other} by {percent(comparison.margin)} points of reading (p {p})."


def failure_warning(comparison: ExamComparison) -> str:
    """The sentence above the tables on answers that failed; empty if none did."""
    if not comparison.failed:
        return ""
    counts = ", ".join(f"{cell} {count:,}" for cell, count in comparison.failed.items())
    return f"Answers that failed count as not correct: {counts}. Run the exam again to ask for them."


def comparison_notes(comparison: ExamComparison) -> Iterator[str]:
    """The sentences below the tables."""
    if comparison.differences:
        yield (
            'n: items, in clusters (documents, patients). "equals": the interval lies within the margin of '
            f'{percent(comparison.margin)} points. "detects": smallest true difference found in four of five exams of '
            "this size. p: permutation test that exchanges the two models cluster by cluster (mid-p), with repeated "
            f"seeds at least a t test over both; Holm: adjusted over the {len(comparison.differences)} comparisons "
            "shown. McNemar: exact P value assuming independent items."
        )
        yield from _variance_notes(comparison)
        yield from _margin_notes(comparison)
    dropped = {row.part: row.dropped for row in comparison.differences if row.dropped}
    for part, count in dropped.items():
        yield f"{count:,} items ({title(part)}) did not fit one of the models and count for none."
    for repeat in comparison.noise_floor:
        changed, floor = percent(repeat.noise.verdicts.value), percent(repeat.noise.floor)
        yield (
            f"Examined twice ({repeat.runs[0]}, {repeat.runs[1]}): {changed} % of the answers of {repeat.cell} changed "
            f"between right and wrong ({title(repeat.part)}); differences below {floor} points are noise."
        )
