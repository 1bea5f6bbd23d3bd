"""The gate: which cell deserves the alias ``champion``, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medctx.schemas.decision import Decision
from medctx.schemas.records import Record
from medctx.schemas.report import Difference
from medctx_eval.report.decision.pareto import balanced, places
from medctx_eval.stats.words import difference_interval, p_value, percent, points

if TYPE_CHECKING:  # the report writes its headline with this module
    from medctx_eval.report.model import Check, Report


class _Candidate(Record):
    """``base``: what it is compared with; ``unreadable``: share of answers that say nothing; both axes count alike.

    ``doubt`` is the gain's p after Holm where the gain is none when the whole family is looked at.
    """

    name: str
    base: str
    doubt: float | None
    knowledge: Difference
    reading: Difference
    unreadable: float

    def gains_and_reads(self, margin: float) -> bool:
        return self.knowledge.word == "gains" and self.reading.not_worse(margin)


def unreadable_share(report: Report, cell: str) -> float:
    """Share of unparsable, truncated and failed answers of a cell over knowledge and reading, in [0, 1]."""
    scores = [score for part in ("knowledge", "reading") if (score := report.score(cell, part))]
    total = sum(score.n for score in scores)
    return sum(score.unreadable for score in scores) / total if total else 0.0


def _candidates(report: Report) -> list[_Candidate]:
    found = []
    for cell in report.tuned:
        knowledge, reading = report.gain(cell.name, "knowledge"), report.gain(cell.name, "reading")
        if knowledge and reading:
            found.append(
                _Candidate(
                    name=cell.name,
                    base=report.base_of(cell.name),
                    doubt=knowledge.p_holm if knowledge.doubtful else None,
                    knowledge=knowledge.difference,
                    reading=reading.difference,
                    unreadable=unreadable_share(report, cell.name),
                )
            )
    return found


def _is_clean(report: Report) -> bool | None:
    """Nothing where it was not looked at, for all items or for some, and what was looked at is within the limit."""
    found = report.contamination
    if found is None:
        return None
    within = found.share <= report.max_contaminated
    return None if within and found.forgotten else within


def checks(report: Report) -> tuple[Check, ...]:
    """The four conditions of the gate on every tuned cell; nothing is shown as passed that was not looked at."""
    from medctx_eval.report.model import Check

    found = []
    contamination_report = report.contamination
    for one in _candidates(report):
        found += [
            Check(
                cell=one.name,
                name="knowledge",
                value=one.knowledge.low,
                limit=0.0,
                passed=one.knowledge.word == "gains",
            ),
            Check(
                cell=one.name,
                name="reading",
                value=one.reading.low,
                limit=-report.margin,
                passed=one.reading.not_worse(report.margin),
            ),
            Check(
                cell=one.name,
                name="readable",
                value=one.unreadable,
                limit=report.max_unreadable,
                passed=one.unreadable <= report.max_unreadable,
            ),
            Check(
                cell=one.name,
                name="clean",
                value=contamination_report.share if contamination_report else None,
                limit=report.max_contaminated,
                passed=_is_clean(report),
            ),
        ]
    return tuple(found)


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


def _sentence(one: _Candidate, lead: str = "95 % interval ") -> str:
    """Both axes of one cell in one clause, the kind of interval named once."""
    joint = "but" if one.reading.word == "loses" else "and"
    reading = _axis(one.reading, "reading", "it")
    return f"{one.name} {_axis(one.knowledge, 'knowledge', one.base, lead)} {joint} {reading}"


def _failed(candidates: list[_Candidate], margin: float) -> str:
    """What stopped the cell that knows most, and the gaining cell whose reading is the most certain."""
    gaining = [one for one in candidates if one.knowledge.word == "gains"]
    if not gaining:
        best = max(candidates, key=lambda one: one.knowledge.value)
        shown = _axis(best.knowledge, "knowledge", best.base, "95 % interval ")
        return f"No cell passes the gate, because none surely gains knowledge: at best {best.name} {shown}."
    most = max(gaining, key=lambda one: one.knowledge.value)
    nearest = max(gaining, key=lambda one: one.reading.low)
    rest = "" if nearest is most else f"; {_sentence(nearest, '')}"
    return (
        "No cell passes the gate, because every cell that gains knowledge may lose more than "
        f"{percent(margin)} points of reading: {_sentence(most)}{rest}."
    )


def _stopped(report: Report, best: _Candidate) -> str:
    """Why the best of the cells that gain and read is stopped all the same; empty where it is not."""
    contamination_report = report.contamination
    if contamination_report and contamination_report.share > report.max_contaminated:
        return (
            f"{percent(contamination_report.share)} % of the items ({contamination_report.found} of "
            f"{contamination_report.asked}) are in the training data, and "
            f"{percent(report.max_contaminated)} % are allowed"
        )
    if best.unreadable > report.max_unreadable:
        return (
            f"{percent(best.unreadable)} % of its answers are unreadable, and {percent(report.max_unreadable)} % are "
            "allowed"
        )
    return ""


def _with_reason(decision: Decision, reason: str) -> Decision:
    return decision.model_copy(update={"reason": reason})


def decide(report: Report, margin: float) -> Decision:
    """Among the cells that pass every condition the one with the largest knowledge gain; the first of equals.

    The conditions: a knowledge gain with an interval above 0, a reading interval above ``-margin`` (in [0, 1]), and
    shares of unreadable answers and contaminated items within the report's limits.
    """
    candidates = _candidates(report)
    able = sorted(
        (one for one in candidates if one.gains_and_reads(margin)), key=lambda one: one.knowledge.value, reverse=True
    )
    passed = [one for one in able if not _stopped(report, one)]
    empty = Decision(
        champion="",
        reason="",
        best_knowledge=_best(report, "knowledge"),
        best_reading=_best(report, "reading"),
        balanced=balanced(report),
        front=places(report),
    )
    if not report.tuned:
        return _with_reason(empty, f"Only {report.base} was examined: there is nothing to compare.")
    if not candidates:
        lacking = "knowledge" if report.score(report.base, "knowledge") is None else "reading"
        return _with_reason(
            empty, f"No cell passes the gate: it needs knowledge and reading, and {lacking} was not compared."
        )
    if not able:
        return _with_reason(empty, _failed(candidates, margin))
    if not passed:
        best = able[0]
        sentence = _sentence(best)
        return _with_reason(empty, f"No cell passes the gate: {sentence}, but {_stopped(report, best)}.")
    best = passed[0]
    others = [cell.name for cell in report.tuned if cell.name in {one.name for one in passed[1:]}]
    rest = f" The gate is also passed by {', '.join(others)}." if others else ""
    if best.doubt is not None:
        rest += (
            f" Looked at together with the other {len(report.family('headline')) - 1} comparisons, the gain is not "
            f"certain (p {p_value(best.doubt)} after Holm)."
        )
    reason = f"{_sentence(best)}, inside the margin of {points(-margin)} points.{rest}"
    names = {one.name for one in passed}
    return empty.model_copy(
        update={
            "champion": best.name,
            "reason": reason,
            "passed": tuple(cell.name for cell in report.tuned if cell.name in names),
        }
    )
