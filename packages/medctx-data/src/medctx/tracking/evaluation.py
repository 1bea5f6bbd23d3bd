"""What a report found for one cell, as the Markdown lines of its card; ``verify`` makes the same lines again."""

from __future__ import annotations

from collections.abc import Iterator

from medctx.schemas.decision import Decision
from medctx.schemas.report import LEARNING, READING, Comparison, ReportCore, Score
from medctx.tracking.cell_metrics import AXES, parts_of

MEANINGS = {
    "closed": "no Book",
    "gold": "evidence only",
    "distractor": "Book without the evidence",
    "counterfactual": "altered evidence",
    "untaught": "facts left out of training",
    "abstention": "says that the Book does not tell",
    "faithfulness": "follows altered evidence",
    LEARNING: "gain on taught facts minus gain on untaught ones",
}
"""What a part of an exam asks, for readers who do not know its name."""
HEADER = (
    "| part | items | clusters | accuracy % [95 %] | blind % | base % | difference [95 %], points | outcome |",
    "|---|---:|---:|---|---:|---:|---|---|",
)


def gate_of(decision: Decision, group: str) -> str:
    """``champion``, ``passed`` or ``stopped``."""
    return "champion" if group == decision.champion else "passed" if group in decision.passed else "stopped"


def percent(value: float) -> str:
    """A share in percent, without the sign."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference in accuracy points."""
    return f"{100 * value:+.1f}"


def difference_text(gain: Comparison | None) -> str:
    """A difference with its interval; empty if there is none."""
    if gain is None:
        return ""
    difference = gain.difference
    return f"{points(difference.value)} [{points(difference.low)}, {points(difference.high)}]"


def answer_sentence(report: ReportCore, group: str) -> str:
    """What a cell knows and reads beside its base, in one sentence; "" where neither axis was asked."""
    parts = []
    for axis in AXES:
        score, gain = report.score(group, axis), report.axis_gain(group, axis)
        if score is not None:
            beside = f" (against its base {difference_text(gain)} points: {gain.outcome})" if gain else ""
            parts.append(f"{axis} {percent(score.accuracy.value)} %{beside}")
    text = "; ".join(parts)
    return f"**{text[0].upper()}{text[1:]}.**" if text else ""


def _label(part: str) -> str:
    kind, _, size = part.partition(":")
    meaning = f"Book of {int(size):,} tokens" if kind == "open" and size.isdigit() else MEANINGS.get(part, "")
    return f"{part} ({meaning})" if meaning else part


def _row(report: ReportCore, score: Score) -> str:
    accuracy, floor = score.accuracy, report.floor(score.part)
    of_base, gain = report.score(report.base_of(score.cell), score.part), report.gain(score.cell, score.part)
    cells = (
        _label(score.part),
        f"{accuracy.n:,}",
        f"{accuracy.clusters:,}",
        f"{percent(accuracy.value)} [{percent(accuracy.low)}, {percent(accuracy.high)}]",
        percent(floor.question_blind) if floor else "",
        percent(of_base.accuracy.value) if of_base else "",
        difference_text(gain),
        gain.outcome if gain else "",
    )
    return f"| {' | '.join(cells)} |"


def _measure_row(report: ReportCore, group: str, measure: str) -> str:
    gain = report.gain(group, measure)
    if gain is None:
        return ""
    difference = gain.difference
    text = f"{difference_text(gain)} | {gain.outcome}"
    return f"| {_label(measure)} | {difference.n:,} | {difference.clusters:,} |  |  |  | {text} |"


def score_lines(report: ReportCore, group: str) -> list[str]:
    """The scores of a cell beside those of its base and of a blind reader, as a Markdown table.

    Both axes come first, each followed by the difference that the gate decides by where this is another one, then the
    other parts; a part that repeats another one's items and numbers is left out.
    """
    lines, seen = list(HEADER), []
    for score in parts_of(report, group):
        numbers = (score.n, score.verdicts, score.accuracy)
        if score.part not in AXES and numbers in seen:
            continue
        seen.append(numbers)
        lines.append(_row(report, score))
        measure = report.measure(score.part) if score.part in AXES else score.part
        if measure != score.part and (row := _measure_row(report, group, measure)):
            lines.append(row)
    return lines


def _seeds_line(report: ReportCore, group: str) -> str:
    scores = [score for axis in AXES if (score := report.score(group, axis))]
    if not scores:
        return ""
    seeds = scores[0].accuracy.seeds
    pooled = "pooled over them" if seeds > 1 else "no interval contains the variance between trainings"
    few = [score.part for score in scores if score.accuracy.few_clusters]
    warning = f"; few clusters on {' and '.join(few)}, so their intervals are rough" if few else ""
    return f"Scored as `{report.mode}`; {seeds} training seed{'s' if seeds > 1 else ''} ({pooled}){warning}."


def _seed_line(report: ReportCore, group: str, run: str) -> str:
    """The accuracies of one training seed alone; empty for a cell with one seed."""
    names = [examined.name for cell in report.cells if cell.name == group for examined in cell.runs]
    scores = [score for axis in AXES if (score := report.score(group, axis)) and len(score.seeds) == len(names)]
    if len(names) < 2 or run not in names or not scores:
        return ""
    accuracies = (f"{score.part} {percent(score.seeds[names.index(run)])} %" for score in scores)
    return f"This training seed alone: {', '.join(accuracies)}."


def _contamination_line(report: ReportCore) -> str:
    result = report.contamination
    if result is None:
        return "Contamination: the items were not searched for in the training data."
    taught = f"; {result.taught:,} more share only the words of a fact taught on purpose" if result.taught else ""
    unchecked = f"; not checked: {', '.join(result.unchecked_exams)}" if result.unchecked_exams else ""
    return (
        f"Contamination: {result.contaminated:,} of {result.items:,} items ({percent(result.share)} %) were found in "
        f"the training data of the study{taught}{unchecked}."
    )


def _pareto_line(decision: Decision, group: str) -> str:
    position = next((position for position in decision.pareto if position.cell == group), None)
    if position is None:
        return ""
    by = f" by {', '.join(position.dominated_by)}" if position.dominated_by else ""
    standing = "on it" if position.standing == "front" else f"{position.standing}{by}"
    return f"Pareto front of knowledge and reading: {standing}."


def _sentences(report: ReportCore, decision: Decision, group: str, run: str) -> Iterator[str]:
    yield _seeds_line(report, group)
    yield _seed_line(report, group, run)
    if report.floor(READING) is not None:
        yield "Blind: a reader without the question, who guesses among the options that occur in the Book."
    yield f"Gate: {gate_of(decision, group)}. {decision.reason}"
    yield _pareto_line(decision, group)
    yield _contamination_line(report)
    if report.registration is not None:
        yield f"Registration: {report.registration.statement}."


def evaluation_lines(report: ReportCore, decision: Decision, group: str, run: str) -> list[str]:
    """Everything a report says of one cell on its card: scores, seeds, gate, Pareto front, contamination, exams.

    Args:
        report: The report.
        decision: What its gate decided.
        group: Name of the cell.
        run: Name of the cell's own run, one of several where it was trained with several seeds.
    """
    sentences = [f"- {sentence}" for sentence in _sentences(report, decision, group, run) if sentence]
    cell = next((cell for cell in report.cells if cell.name == group), None)
    exams = [
        f"- Exam `{exam.name}`: {exam.items:,} items, {exam.licence}, digest `{exam.digest[:12]}`."
        for exam in (cell.runs[0].manifest.exams if cell else ())
    ]
    return [*score_lines(report, group), "", *sentences, *exams]
