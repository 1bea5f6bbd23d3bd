"""The gate: which cell deserves the alias ``champion``, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medctx.records import Record
from medctx_eval.stats import Difference
from medctx_eval.stats.words import difference_interval, percent, points

if TYPE_CHECKING:  # the report writes its headline with this module
    from medctx_eval.report.model import Report


class Decision(Record):
    """``champion`` is empty where no cell ``passed``; ``reason`` says why in words.

    ``best_knowledge`` and ``best_reading`` name the tuned cells of the highest accuracy (empty without any).
    """

    champion: str
    reason: str
    passed: tuple[str, ...] = ()
    best_knowledge: str = ""
    best_reading: str = ""


class _Candidate(Record):
    name: str
    knowledge: Difference
    reading: Difference

    def passes(self, margin: float) -> bool:
        return self.knowledge.word == "gains" and self.reading.not_worse(margin)


def _candidates(report: Report) -> list[_Candidate]:
    found = []
    for cell in report.tuned:
        knowledge, reading = report.gain(cell.name, "knowledge"), report.gain(cell.name, "reading")
        if knowledge and reading:
            found.append(_Candidate(name=cell.name, knowledge=knowledge.difference, reading=reading.difference))
    return found


def _best(report: Report, part: str) -> str:
    scored = [(score.accuracy.value, cell.name) for cell in report.tuned if (score := report.score(cell.name, part))]
    return max(scored, key=lambda one: one[0])[1] if scored else ""


def _axis(found: Difference, axis: str, against: str, lead: str = "") -> str:
    """``gains 12.0 points of knowledge over base (95 % interval +5.0 to +20.0)``; a tie shows its value inside."""
    span = f"{lead}{difference_interval(found)}"
    if found.word == "ties with":
        return f"ties with {against} in {axis} ({points(found.value)}, {span})"
    joint = {"gains": "over", "loses": "against"}[found.word]
    return f"{found.word} {percent(abs(found.value))} points of {axis} {joint} {against} ({span})"


def _sentence(one: _Candidate, base: str, lead: str = "95 % interval ") -> str:
    """Both axes of one cell in one clause, the kind of interval named once."""
    joint = "but" if one.reading.word == "loses" else "and"
    reading = _axis(one.reading, "reading", "it")
    return f"{one.name} {_axis(one.knowledge, 'knowledge', base, lead)} {joint} {reading}"


def _failed(candidates: list[_Candidate], base: str, margin: float) -> str:
    """What stopped the cell that knows most, and the gaining cell whose reading is the most certain."""
    gaining = [one for one in candidates if one.knowledge.word == "gains"]
    if not gaining:
        best = max(candidates, key=lambda one: one.knowledge.value)
        shown = _axis(best.knowledge, "knowledge", base, "95 % interval ")
        return f"No cell passes the gate, because none surely gains knowledge: at best {best.name} {shown}."
    most = max(gaining, key=lambda one: one.knowledge.value)
    nearest = max(gaining, key=lambda one: one.reading.low)
    rest = "" if nearest is most else f"; {_sentence(nearest, base, '')}"
    return (
        "No cell passes the gate, because every cell that gains knowledge may lose more than "
        f"{percent(margin)} points of reading: {_sentence(most, base)}{rest}."
    )


def _with_reason(decision: Decision, reason: str) -> Decision:
    return decision.model_copy(update={"reason": reason})


def decide(report: Report, margin: float) -> Decision:
    """Among the cells whose knowledge gain has an interval above 0 and whose reading interval lies above
    ``-margin`` (in [0, 1]) the one with the largest knowledge gain; the first of equals.
    """
    candidates = _candidates(report)
    passed = [one for one in candidates if one.passes(margin)]
    empty = Decision(
        champion="", reason="", best_knowledge=_best(report, "knowledge"), best_reading=_best(report, "reading")
    )
    if not report.tuned:
        return _with_reason(empty, f"Only {report.base} was examined: there is nothing to compare.")
    if not candidates:
        lacking = "knowledge" if report.score(report.base, "knowledge") is None else "reading"
        return _with_reason(
            empty, f"No cell passes the gate: it needs knowledge and reading, and {lacking} was not compared."
        )
    if not passed:
        return _with_reason(empty, _failed(candidates, report.base, margin))
    best = max(passed, key=lambda one: one.knowledge.value)
    others = [one.name for one in passed if one is not best]
    rest = f" The gate is also passed by {', '.join(others)}." if others else ""
    reason = f"{_sentence(best, report.base)}, inside the margin of {points(-margin)}.{rest}"
    return empty.model_copy(
        update={"champion": best.name, "reason": reason, "passed": tuple(one.name for one in passed)}
    )
