"""Which cells no other one beats on knowledge and reading together, how surely, and which keeps both best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medctx.schemas.decision import ParetoPosition

if TYPE_CHECKING:  # the report writes its headline with the gate, which uses this module
    from medctx_eval.report.model import Report

AXES = ("knowledge", "reading")


def _surely(report: Report, better: str, worse: str) -> bool:
    """Whether one cell is surely above another on at least one axis."""
    # Pairs stand one way round: what gains is the first of them, what loses gives the win to the second.
    return any(
        one.word == ("gains" if one.cell == better else "loses")
        for one in report.family("pairs")
        if one.part in AXES and {one.cell, one.other} == {better, worse}
    )


def places(report: Report) -> tuple[ParetoPosition, ...]:
    """Every cell that was asked for both axes."""
    scored = {}
    for cell in report.cells:
        pair = [report.score(cell.name, axis) for axis in AXES]
        if pair[0] is not None and pair[1] is not None:
            scored[cell.name] = (pair[0].accuracy, pair[1].accuracy)
    found = []
    for name, (knowledge, reading) in scored.items():
        above = [
            other
            for other, (more, better) in scored.items()
            if other != name
            and report.base_of(other) == report.base_of(name)
            and more.value >= knowledge.value
            and better.value >= reading.value
            and (more.value, better.value) != (knowledge.value, reading.value)
        ]
        sure = tuple(other for other in above if _surely(report, other, name))
        found.append(
            ParetoPosition(
                cell=name,
                standing="behind" if sure else "perhaps behind" if above else "front",
                beaten_by=sure or tuple(above),
                knowledge=knowledge.value,
                knowledge_low=knowledge.low,
                knowledge_high=knowledge.high,
                reading=reading.value,
                reading_low=reading.low,
                reading_high=reading.high,
            )
        )
    return tuple(found)


def balanced(report: Report) -> str:
    """The tuned cell whose smaller gain over its base, of knowledge and reading, is the largest; the first of equals.

    A cell that surely loses on either axis balances nothing; empty where all do, or nothing was compared on both.
    """
    best, most = "", 0.0
    for cell in report.tuned:
        gains = [report.gain(cell.name, axis) for axis in AXES]
        both = [one for one in gains if one is not None]
        if len(both) < len(AXES) or any(one.word == "loses" for one in both):
            continue
        least = min(one.difference.value for one in both)
        if not best or least > most:
            best, most = cell.name, least
    return best
