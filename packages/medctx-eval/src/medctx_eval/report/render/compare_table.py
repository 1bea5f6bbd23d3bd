"""A comparison for the terminal: two tables of at most 80 columns, and what must be said beside them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from medctx.schemas.report import FEWEST
from medctx_eval.report.compare import ExamComparison
from medctx_eval.report.load.parts import title
from medctx_eval.report.model import READING
from medctx_eval.stats import FEW
from medctx_eval.stats.words import accuracy_interval, difference_interval, p_value, percent, points, verb


def _table(leading: int) -> Table:
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, leading=leading)


def accuracy_table(found: ExamComparison) -> Table:
    """One row per part and cell: per cent with the interval, questions, clusters and training seeds."""
    table = _table(0)
    table.add_column("of", max_width=24)
    table.add_column("cell")
    for heading in ("%", "95 % interval", "n", "clusters", "seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for part in found.parts:
        for place, side in enumerate(found.sides):
            one = found.accuracy(side.name, part)
            if one is None:
                continue
            name = f"{side.name} (base)" if side.base and side.name != "base" else side.name
            numbers = (percent(one.value), accuracy_interval(one), f"{one.n:,}", f"{one.clusters:,}", f"{one.seeds}")
            table.add_row(*(Text(value) for value in (title(part) if place == 0 else "", name, *numbers)))
        table.add_section()
    return table


def difference_table(found: ExamComparison) -> Table:
    """One row per comparison; points with the interval below, p with Holm's below."""
    table = _table(1)
    table.add_column("comparison", min_width=19)
    table.add_column("of", max_width=15)
    for heading in ("points", "sees\nfrom", "p\nHolm", "McNemar"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found.differences:
        own = one.difference
        values = (
            f"{one.cell} {verb(one.word)} {one.other}",
            title(one.part),
            f"{points(own.value)}\n{difference_interval(own)}",
            percent(own.detectable),
            f"{p_value(own.p)}\n{p_value(one.p_holm)}",
            p_value(own.p_mcnemar),
        )
        table.add_row(*(Text(value) for value in values))
    return table


def _chance(found: ExamComparison) -> Iterator[str]:
    """What the intervals do and do not hold."""
    differences = [one.difference for one in found.differences]
    if any(one.seed_error is not None for one in differences):
        runs = min(one.seeds for one in differences)
        yield f"Intervals and p hold the chance of items and of training seeds (at least {runs} per trained cell)."
    else:
        yield "One training seed per cell: intervals and p speak of these runs, another seed may come out otherwise."
    clusters = min(one.clusters for one in differences)
    if clusters < FEWEST:
        yield f"Only {clusters} clusters: below {FEWEST} no difference is called a gain or a loss."
    elif clusters < FEW:
        yield f"Only {clusters} clusters: intervals are widened for it, but read them with care below {FEW}."


def _margins(found: ExamComparison) -> Iterator[str]:
    for one in found.differences:
        if one.part == READING:
            shown = "is not worse" if one.equivalence.not_worse else "may be worse"
            p = p_value(one.equivalence.p_not_worse)
            yield f"{one.cell} {shown} than {one.other} by {percent(found.margin)} points of reading (p {p})."


def notes(found: ExamComparison) -> Iterator[str]:
    """Sentences below the tables."""
    if found.differences:
        yield (
            'n: questions in clusters (documents, patients). "sees from": the smallest true difference found in four '
            "of five exams of this size. p: the two names swapped cluster by cluster (mid-p), or where seeds were "
            f"repeated a t test over both; Holm: adjusted over the {len(found.differences)} comparisons shown; "
            "McNemar's exact p takes questions for independent."
        )
        yield from _chance(found)
        yield from _margins(found)
    dropped = {one.part: one.dropped for one in found.differences if one.dropped}
    for part, count in dropped.items():
        yield f"{count:,} questions ({title(part)}) did not fit one of the models and count for none."
    for twice in found.noise:
        changed, floor = percent(twice.noise.verdicts.value), percent(twice.noise.floor)
        yield (
            f"Examined twice ({twice.runs[0]}, {twice.runs[1]}): {changed} % of the answers of {twice.cell} changed "
            f"between right and wrong ({title(twice.part)}); differences below {floor} points are noise."
        )
