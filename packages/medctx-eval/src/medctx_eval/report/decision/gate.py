"""The gate: which cell gets the alias ``champion``, and why; and a card of results for each cell."""

from __future__ import annotations

import math

from medctx.schemas.decision import Card, Decision
from medctx.schemas.records import Record
from medctx.schemas.report import KNOWLEDGE, LEARNING, READING, Comparison
from medctx.schemas.study_plan import PlanAxis
from medctx_eval.report.decision.pareto import balanced, pareto_positions
from medctx_eval.report.model import Report
from medctx_eval.report.sections import GateCheck
from medctx_eval.stats.formatting import difference_interval, p_value, percent, points
from medctx_eval.stats.margin import keeping_power, p_promotion
from medctx_eval.stats.paired import holm

AXIS_WORDS = {LEARNING: "knowledge (taught minus untaught)"}


def unreadable_share(report: Report, cell: str) -> float:
    """Share of unparsable, truncated and failed answers of a cell over knowledge and reading, in [0, 1]."""
    scores = [score for part in (KNOWLEDGE, READING) if (score := report.score(cell, part))]
    total = sum(score.n for score in scores)
    return sum(score.unreadable for score in scores) / total if total else 0.0


def card(report: Report, cell: str) -> Card:
    """The card of a tuned cell.

    Knowledge and reading with their differences to the base, the share of unreadable answers, and with a contamination
    report the share of contaminated items and the accuracies on clean items.
    """
    metrics: dict[str, float] = {}
    sentences = []
    for part in (KNOWLEDGE, READING):
        score, gain = report.score(cell, part), report.gain(cell, part)
        if score is None or gain is None:
            continue
        difference = gain.difference
        metrics[f"{part}.accuracy"] = score.accuracy.value
        metrics[f"{part}.gain"] = difference.value
        metrics[f"{part}.gain.low"] = difference.low
        metrics[f"{part}.gain.high"] = difference.high
        sentences.append(
            f"{part.capitalize()} {percent(score.accuracy.value)} % of {score.accuracy.n} items, "
            f"{points(difference.value)} points to {gain.other} (95 % interval {difference_interval(difference)})."
        )
        floor, above = report.floor(part), report.above_floor(cell, part)
        if floor and above:
            metrics |= {
                f"{part}.question_blind": floor.question_blind,
                f"{part}.above_question_blind": above.difference.value,
                f"{part}.above_question_blind.low": above.difference.low,
                f"{part}.above_question_blind.high": above.difference.high,
            }
            sentences.append(f"A reader without the question has {percent(floor.question_blind)} %.")
        specific = report.gain(cell, LEARNING)
        if part == KNOWLEDGE and specific is not None:
            difference = specific.difference
            metrics |= {
                f"{LEARNING}.gain": difference.value,
                f"{LEARNING}.gain.low": difference.low,
                f"{LEARNING}.gain.high": difference.high,
            }
            sentences.append(
                f"Gain on taught items minus gain on untaught ones {points(difference.value)} points (95 % interval "
                f"{difference_interval(difference)})."
            )
    if metrics:
        metrics["unreadable"] = unreadable_share(report, cell)
    if report.contamination:
        metrics["contaminated"] = report.contamination.share
        clean = {score.part: score.clean_items for score in report.clean_scores if score.cell == cell}
        metrics |= {f"{part}.accuracy.clean": accuracy.value for part, accuracy in clean.items() if accuracy}
    return Card(cell=cell, summary=" ".join(sentences), metrics=metrics)


class _Candidate(Record):
    """A tuned cell compared with ``base`` on both axes.

    ``unreadable`` is its share of unreadable answers; ``p`` that it gains knowledge and keeps reading, Holm-adjusted
    over all ``cells`` that are candidates.
    """

    name: str
    base: str
    knowledge: Comparison
    reading: Comparison
    unreadable: float
    p: float
    cells: int

    def gains_and_reads(self, margin: float) -> bool:
        return self.knowledge.outcome == "gains" and self.reading.difference.not_worse(margin)


def _candidates(report: Report) -> list[_Candidate]:
    compared = [
        (cell.name, knowledge, reading)
        for cell in report.tuned
        if (knowledge := report.axis_gain(cell.name, KNOWLEDGE)) and (reading := report.axis_gain(cell.name, READING))
    ]
    adjusted = holm(
        [p_promotion(knowledge.difference, reading.difference, report.margin) for _, knowledge, reading in compared]
    )
    return [
        _Candidate(
            name=name,
            base=report.base_of(name),
            knowledge=knowledge,
            reading=reading,
            unreadable=unreadable_share(report, name),
            p=p,
            cells=len(compared),
        )
        for (name, knowledge, reading), p in zip(compared, adjusted, strict=True)
    ]


def _is_clean(report: Report) -> bool | None:
    """Whether few enough items are contaminated; None if not all items were checked and the limit is not exceeded."""
    contamination = report.contamination
    if contamination is None:
        return None
    within = contamination.share <= report.max_contaminated
    return None if within and contamination.unchecked_exams else within


def checks(report: Report) -> tuple[GateCheck, ...]:
    """The five conditions of the gate for every tuned cell; what was not checked is not shown as passed."""
    gate_checks = []
    for candidate in _candidates(report):
        knowledge, reading = candidate.knowledge.difference, candidate.reading.difference
        gate_checks += [
            GateCheck(
                cell=candidate.name,
                name="knowledge",
                value=knowledge.low,
                limit=0.0,
                passed=candidate.knowledge.outcome == "gains",
            ),
            GateCheck(
                cell=candidate.name,
                name="reading",
                value=reading.low,
                limit=-report.margin,
                passed=reading.not_worse(report.margin),
                power=keeping_power(reading, report.margin, report.error_rate / candidate.cells),
            ),
            GateCheck(
                cell=candidate.name,
                name="family",
                value=candidate.p,
                limit=report.error_rate,
                passed=candidate.p <= report.error_rate,
            ),
            GateCheck(
                cell=candidate.name,
                name="readable",
                value=candidate.unreadable,
                limit=report.max_unreadable,
                passed=candidate.unreadable <= report.max_unreadable,
            ),
            GateCheck(
                cell=candidate.name,
                name="clean",
                value=report.contamination.share if report.contamination else None,
                limit=report.max_contaminated,
                passed=_is_clean(report),
            ),
        ]
    return tuple(gate_checks)


def _best(report: Report, part: PlanAxis) -> str:
    """The cell with the highest accuracy among those whose gain is shown; empty if there is none."""
    scored = [
        (score.accuracy.value, cell.name)
        for cell in report.tuned
        if (score := report.score(cell.name, part))
        and (gain := report.axis_gain(cell.name, part))
        and gain.outcome == "gains"
    ]
    return max(scored, key=lambda entry: entry[0])[1] if scored else ""


def _alias_notes(report: Report, best_knowledge: str, best_reading: str, balanced_cell: str) -> tuple[str, ...]:
    """One sentence per alias beside ``champion``."""
    notes = []
    candidates: tuple[tuple[str, PlanAxis, str], ...] = (
        ("best-knowledge", KNOWLEDGE, best_knowledge),
        ("best-reading", READING, best_reading),
    )
    for alias, part, cell in candidates:
        gain = report.axis_gain(cell, part) if cell else None
        if gain is None:
            notes.append(f"No cell is {alias}: none is shown to gain {part}.")
        else:
            notes.append(
                f"{cell} is {alias}: {points(gain.difference.value)} points of {part} over {gain.other} (95 % interval "
                f"{difference_interval(gain.difference)}), the highest accuracy of the cells that gain."
            )
    if balanced_cell:
        notes.append(
            f"{balanced_cell} is balanced: it gains on one axis, loses on none, and its smaller gain is largest."
        )
    else:
        notes.append("No cell is balanced: none gains on one axis without losing on the other.")
    return tuple(notes)


def _axis_clause(comparison: Comparison, against: str, margin: float, lead: str = "") -> str:
    """``gains 12.0 points of knowledge over base (95 % interval +5.0 to +20.0)``."""
    difference, axis = comparison.difference, AXIS_WORDS.get(comparison.part, comparison.part)
    interval = f"{lead}{difference_interval(difference)}"
    if comparison.outcome == "gains":
        return f"gains {percent(difference.value)} points of {axis} over {against} ({interval})"
    if comparison.outcome == "loses":
        return f"loses {percent(-difference.value)} points of {axis} against {against} ({interval})"
    if comparison.outcome == "equals":
        within = f"within {percent(margin)} points"
        return f"equals {against} in {axis} {within} ({points(difference.value)}, {interval})"
    return f"is not told apart from {against} in {axis} ({points(difference.value)}, {interval})"


def _both_axes(candidate: _Candidate, margin: float, lead: str = "95 % interval ") -> str:
    """Both axes of one cell in one clause; the kind of interval is named once."""
    conjunction = "but" if candidate.reading.outcome == "loses" else "and"
    knowledge = _axis_clause(candidate.knowledge, candidate.base, margin, lead)
    return f"{candidate.name} {knowledge} {conjunction} {_axis_clause(candidate.reading, 'it', margin)}"


def _reason_none_gains_and_reads(candidates: list[_Candidate], margin: float) -> str:
    """What stopped the cell with the largest knowledge gain, and the gaining cell whose reading is most certain."""
    gaining = [candidate for candidate in candidates if candidate.knowledge.outcome == "gains"]
    if not gaining:
        best = max(candidates, key=lambda candidate: candidate.knowledge.difference.value)
        equal = [
            candidate.name
            for candidate in candidates
            if candidate is not best
            and math.isclose(candidate.knowledge.difference.value, best.knowledge.difference.value, abs_tol=1e-9)
        ]
        first = (
            f"one of the highest, {best.name} (as high as {', '.join(equal)}),"
            if equal
            else f"the highest, {best.name},"
        )
        clauses = _both_axes(best, margin).removeprefix(f"{best.name} ")
        return f"No cell passes the gate, because none is shown to gain knowledge: {first} {clauses}."
    largest = max(gaining, key=lambda candidate: candidate.knowledge.difference.value)
    nearest = max(gaining, key=lambda candidate: candidate.reading.difference.low)
    rest = "" if nearest is largest else f"; {_both_axes(nearest, margin, '')}"
    return (
        "No cell passes the gate, because every cell that gains knowledge may lose more than "
        f"{percent(margin)} points of reading: {_both_axes(largest, margin)}{rest}."
    )


def _obstacle(report: Report, candidate: _Candidate) -> str:
    """Why a cell that gains knowledge and keeps reading does not pass; empty if it passes."""
    if candidate.p > report.error_rate:
        return (
            f"adjusted for the {candidate.cells} cells that could be promoted it is not certain (P "
            f"{p_value(candidate.p)} after Holm, at most {p_value(report.error_rate)} is allowed)"
        )
    contamination = report.contamination
    if contamination and contamination.share > report.max_contaminated:
        return (
            f"{percent(contamination.share)} % of the items ({contamination.contaminated} of {contamination.items}) "
            f"are in the training data, and {percent(report.max_contaminated)} % are allowed"
        )
    if candidate.unreadable > report.max_unreadable:
        return (
            f"{percent(candidate.unreadable)} % of its answers are unreadable, and {percent(report.max_unreadable)} % "
            "are allowed"
        )
    return ""


def _reason_champion(report: Report, champion: _Candidate, others: list[str]) -> str:
    reason = f"{_both_axes(champion, report.margin)}, inside the margin of {points(-report.margin)} points."
    if others:
        reason += f" The gate is also passed by {', '.join(others)}."
    again = [row for row in report.confirmations if row.cell == champion.name]
    if again:
        clauses = (
            f"{AXIS_WORDS.get(row.part, row.part)} {points(row.confirmed_gain.value)} "
            f"({difference_interval(row.confirmed_gain)})"
            for row in again
        )
        reason += f" On items that selected no cell: {', '.join(clauses)}."
    if champion.knowledge.not_after_holm:
        reason += (
            f" Adjusted for the {len(report.family('headline'))} comparisons shown, the gain is not significant (P "
            f"{p_value(champion.knowledge.p_holm)} after Holm)."
        )
    return reason


def decide(report: Report) -> Decision:
    """Decide which cells get the registry's aliases.

    The champion is the cell with the largest knowledge gain among those that pass five conditions: a knowledge gain
    whose interval lies above 0, a reading difference whose interval lies above ``-margin``, both also when adjusted for
    all cells, and shares of unreadable answers and of contaminated items within the limits of the report.
    """
    best_knowledge, best_reading, balanced_cell = _best(report, KNOWLEDGE), _best(report, READING), balanced(report)
    candidates = _candidates(report)
    able = sorted(
        (candidate for candidate in candidates if candidate.gains_and_reads(report.margin)),
        key=lambda candidate: candidate.knowledge.difference.value,
        reverse=True,
    )
    passing = [candidate for candidate in able if not _obstacle(report, candidate)]
    passing_names = {candidate.name for candidate in passing}
    passed = tuple(cell.name for cell in report.tuned if cell.name in passing_names)
    if not report.tuned:
        reason = f"Only {report.base} was examined: there is nothing to compare."
    elif not candidates:
        lacking = KNOWLEDGE if report.score(report.base, KNOWLEDGE) is None else READING
        reason = f"No cell passes the gate: it needs knowledge and reading, and {lacking} was not compared."
    elif not able:
        reason = _reason_none_gains_and_reads(candidates, report.margin)
    elif not passing:
        reason = f"No cell passes the gate: {_both_axes(able[0], report.margin)}, but {_obstacle(report, able[0])}."
    else:
        reason = _reason_champion(report, passing[0], [name for name in passed if name != passing[0].name])
    return Decision(
        champion=passing[0].name if passing else "",
        reason=reason,
        passed=passed,
        best_knowledge=best_knowledge,
        best_reading=best_reading,
        balanced=balanced_cell,
        registered=report.registration.statement if report.registration else "",
        notes=_alias_notes(report, best_knowledge, best_reading, balanced_cell) if candidates else (),
        pareto=pareto_positions(report),
        cards=tuple(card(report, cell.name) for cell in report.tuned),
    )
