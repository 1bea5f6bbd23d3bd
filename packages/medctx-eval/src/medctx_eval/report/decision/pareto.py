"""Pareto positions of the cells on knowledge and reading, and the cell that gains on both."""

from __future__ import annotations

from medctx.schemas.decision import ParetoPosition
from medctx.schemas.report import KNOWLEDGE, READING
from medctx.schemas.study_plan import PlanAxis
from medctx_eval.report.model import Report

AXES: tuple[PlanAxis, ...] = (KNOWLEDGE, READING)


def _shown_better(report: Report, better: str, worse: str) -> bool:
    """Whether the interval of a paired difference shows one cell above another on at least one axis."""
    # Each pair is stored one way round: the first cell gains, or the second one does if the first loses.
    return any(
        pair.outcome == ("gains" if pair.cell == better else "loses")
        for pair in report.family("pairs")
        if {pair.cell, pair.other} == {better, worse}
    )


def pareto_positions(report: Report) -> tuple[ParetoPosition, ...]:
    """The position of every cell that was examined on both axes."""
    scored = {}
    for cell in report.cells:
        knowledge, reading = report.score(cell.name, KNOWLEDGE), report.score(cell.name, READING)
        if knowledge is not None and reading is not None:
            scored[cell.name] = (knowledge.accuracy, reading.accuracy)
    positions = []
    for name, (knows, reads) in scored.items():
        above = [
            other
            for other, (other_knows, other_reads) in scored.items()
            if other != name
            and report.base_of(other) == report.base_of(name)
            and other_knows.value >= knows.value
            and other_reads.value >= reads.value
            and (other_knows.value, other_reads.value) != (knows.value, reads.value)
        ]
        shown = tuple(other for other in above if _shown_better(report, other, name))
        positions.append(
            ParetoPosition(
                cell=name,
                standing="dominated" if shown else "possibly dominated" if above else "front",
                dominated_by=shown or tuple(above),
                knowledge=knows.value,
                knowledge_low=knows.low,
                knowledge_high=knows.high,
                reading=reads.value,
                reading_low=reads.low,
                reading_high=reads.high,
            )
        )
    return tuple(positions)


def balanced(report: Report) -> str:
    """The tuned cell whose smaller gain over its base, of knowledge and reading, is largest; the first of equals.

    Only cells that gain on one axis (interval above 0) and lose on none are considered; empty if there is none.
    """
    best, largest = "", 0.0
    for cell in report.tuned:
        gains = [gain for axis in AXES if (gain := report.axis_gain(cell.name, axis)) is not None]
        outcomes = {gain.outcome for gain in gains}
        if len(gains) < len(AXES) or "loses" in outcomes or "gains" not in outcomes:
            continue
        smaller = min(gain.difference.value for gain in gains)
        if not best or smaller > largest:
            best, largest = cell.name, smaller
    return best
