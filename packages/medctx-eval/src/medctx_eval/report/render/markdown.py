"""The report as a Markdown page: the tables of the HTML page, without the item browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from medctx.schemas.records import Mode, Verdict
from medctx.schemas.report import KNOWLEDGE, LEARNING, READING, UNTAUGHT, Comparison
from medctx.schemas.statistics import MIN_CLUSTERS, Accuracy, Difference
from medctx_eval.report.decision.pareto import AXES
from medctx_eval.report.load import parts
from medctx_eval.report.markdown_table import escape, table_lines
from medctx_eval.report.model import TEXT_MODES, Report
from medctx_eval.report.render.estimand import estimand_sentence, primary_sentence
from medctx_eval.report.render.figures import Picture, heat
from medctx_eval.report.render.tables import FEW_NOTE, HOLM_NOTE, OUTCOME_LABELS, header, main_table_rows
from medctx_eval.report.sections import GateCheck
from medctx_eval.stats.formatting import (
    accuracy_interval,
    comparison_sentence,
    difference_interval,
    p_value,
    percent,
    points,
)

TableRows = Iterator[Sequence[str]]
_PASSED = {True: "passed", False: "failed", None: "not checked"}


def _table(title: str, header: Sequence[str], table_rows: TableRows) -> list[str]:
    """A table with a heading; empty if it has no rows."""
    lines = table_lines(header, table_rows)
    return [*([f"## {escape(title)}", ""] if title else []), *lines, ""] if lines else []


def _accuracy(accuracy: Accuracy | None) -> str:
    return f"{percent(accuracy.value)} [{accuracy_interval(accuracy)}]" if accuracy else ""


def _difference(difference: Difference | None) -> str:
    return f"{points(difference.value)} [{difference_interval(difference)}]" if difference else ""


def _change(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    return f"{OUTCOME_LABELS[comparison.outcome]} {_difference(comparison.difference)}"


def _check(check: GateCheck) -> str:
    if check.value is None:
        return _PASSED[check.passed]
    shown = {"knowledge": points, "reading": points, "family": p_value}.get(check.name, percent)
    power = "" if check.power is None else f"; an equal cell passes in {percent(check.power)} %"
    return f"{_PASSED[check.passed]} ({shown(check.value)}, limit {shown(check.limit)}{power})"


def _gate(report: Report) -> TableRows:
    for cell in report.tuned:
        checks = [check for check in report.gate_checks if check.cell == cell.name]
        if checks:
            yield [cell.name, *(_check(check) for check in checks)]


def _conditions(report: Report, mode: Mode) -> TableRows:
    examined = dict.fromkeys(score.part for score in report.scores if score.mode == mode)
    shown = [part for part in sorted(examined, key=parts.sort_key) if parts.is_condition(part)]
    for part in shown:
        scores = [report.score(cell.name, part, mode) for cell in report.cells]
        count = next(f"{score.n:,}" for score in scores if score)
        floor = report.floor(part) if mode == report.mode else None
        blind = (percent(floor.question_blind), percent(floor.book_blind)) if floor else ("", "")
        yield [parts.title(part), *(_accuracy(score.accuracy) if score else "" for score in scores), *blind, count]


def _above_floors(report: Report) -> TableRows:
    for part in dict.fromkeys(row.part for row in report.above_floors):
        rows = [report.above_floor(cell.name, part) for cell in report.cells]
        yield [parts.title(part), *(_difference(row.difference) if row else "" for row in rows)]


def _word_changes(report: Report) -> TableRows:
    for row in report.word_changes:
        words = (row.words.get(mode, "") for mode in TEXT_MODES)
        yield [row.cell, row.axis, *words, "the word changes" if row.changes else ""]


def _longest_options(report: Report) -> TableRows:
    for row in report.longest_options:
        yield [row.cell, row.part, _accuracy(row.chosen), percent(row.indifferent)]


def _calibrations(report: Report) -> TableRows:
    for row in report.calibrations:
        yield [row.cell, row.part, percent(row.error), percent(row.confidence), percent(row.accuracy), f"{row.n:,}"]


def _knowledge(report: Report) -> TableRows:
    if report.score(report.base, UNTAUGHT) is None:
        return
    for cell in report.cells:
        values = []
        for part in (KNOWLEDGE, UNTAUGHT):
            score, gain = report.score(cell.name, part), report.gain(cell.name, part)
            values += [_accuracy(score.accuracy) if score else "", _change(gain)]
        yield [cell.name, *values, _change(report.gain(cell.name, LEARNING))]


def _confirmations(report: Report) -> TableRows:
    for row in report.confirmations:
        label = OUTCOME_LABELS[row.outcome]
        selected = _accuracy(row.selected), _difference(row.selected_gain)
        confirmed = _accuracy(row.confirmed), f"{label} {_difference(row.confirmed_gain)}"
        contaminated = "" if row.contaminated is None else f"{row.contaminated:,}"
        yield [row.cell, parts.title(row.part), *selected, *confirmed, f"{row.confirmed_gain.n:,}", contaminated]


def _published(report: Report) -> TableRows:
    for cell in report.published.cells if report.published else ():
        gap = points(cell.measured.value - cell.value) if cell.measured else ""
        yield [cell.cell, percent(cell.value), _accuracy(cell.measured) or "not examined", gap, cell.position or ""]


def _grid(report: Report) -> TableRows:
    for comparison in report.family("grid"):
        difference = comparison.difference
        label = OUTCOME_LABELS[comparison.outcome]
        counts = f"{difference.n:,}", f"{difference.clusters:,}"
        yield [comparison.cell, parts.title(comparison.part), f"{label} {_difference(difference)}", *counts]


def _behaviours(report: Report) -> TableRows:
    for row in report.behaviours:
        behaviour = row.behaviour
        yield [
            row.cell,
            _accuracy(behaviour.knows),
            _accuracy(behaviour.reads),
            _difference(behaviour.context_gain),
            _accuracy(behaviour.trusts_memory),
            _accuracy(behaviour.invents),
        ]


def _verdicts(report: Report) -> TableRows:
    for part in (KNOWLEDGE, READING):
        for cell in report.cells:
            score = report.score(cell.name, part)
            if score:
                counts = (f"{score.verdicts[verdict]:,}" for verdict in Verdict)
                bounds = percent(score.accuracy.value), percent(score.upper_bound)
                yield [cell.name, part, *counts, f"{score.n:,}", *bounds]


def _mode(report: Report, mode: Mode) -> TableRows:
    for cell in report.cells:
        values = []
        for part in AXES:
            score, gain = report.score(cell.name, part, mode), report.axis_gain(cell.name, part, mode)
            values.append(_accuracy(score.accuracy) if score else "")
            values.append(_change(gain))
        if any(values):
            yield [cell.name, *values]


def _option_orders(report: Report) -> TableRows:
    for score in report.option_orders:
        shares = percent(score.mean), _accuracy(score.all_right), _accuracy(score.flips)
        yield [score.cell, score.part, score.mode, *shares, str(score.orders)]


def _letter_bias(report: Report) -> TableRows:
    for bias in report.letter_bias:
        chosen = ", ".join(f"{letter} {percent(share)}" for letter, share in bias.chosen.items())
        recall = ", ".join(f"{letter} {percent(share)}" for letter, share in bias.recall.items())
        yield [bias.cell, bias.mode, chosen, recall, percent(bias.spread)]


def _clean_scores(report: Report) -> TableRows:
    for score in report.clean_scores:
        count = score.clean_items.n if score.clean_items else 0
        yield [score.cell, score.part, _accuracy(score.all_items), _accuracy(score.clean_items), f"{count:,}"]


def _noise_floor(report: Report) -> TableRows:
    for row in report.noise_floor:
        noise = row.noise
        shares = _accuracy(noise.answers), _accuracy(noise.verdicts)
        yield [row.cell, row.part, row.mode, *shares, percent(noise.floor), " and ".join(row.computed_by)]


def _pairs(report: Report) -> TableRows:
    for pair in report.family("pairs"):
        difference = pair.difference
        sentence = comparison_sentence(pair.cell, pair.outcome, pair.other)
        numbers = p_value(pair.p_holm), percent(difference.detectable), f"{difference.n:,}"
        yield [sentence, pair.part, _difference(difference), *numbers]


def _provenance(report: Report) -> TableRows:
    for cell in report.cells:
        for run in cell.runs:
            manifest = run.manifest
            seed = "" if manifest.training_seed is None else str(manifest.training_seed)
            digests = manifest.weights_digest[:12], manifest.adapter_digest[:12]
            cost = manifest.cost
            counts = f"{cost.requests:,}", f"{cost.prompt_tokens:,}", f"{cost.seconds:,.0f}"
            yield [cell.name, manifest.model, seed, *digests, manifest.engine, *counts]


def markdown_page(report: Report, pictures: Mapping[str, Picture]) -> str:
    """The whole page; ``pictures`` are linked as files in ``figures/``."""
    mode, axes = report.mode, [KNOWLEDGE, "to base", READING, "to base"]
    margin = percent(report.margin)
    lines = [f"# {escape(report.title)}", "", f"**{escape(report.headline)}**", ""]
    if report.registration:
        lines += [escape(primary_sentence(report.registration)), ""]
    for warning in report.warnings:
        lines += [escape(warning), ""]
    lines += _table("", header(report), iter([row.values for row in main_table_rows(report)]))
    lines += [
        f"Accuracy in {mode} mode: {estimand_sentence(report)} Intervals are 95 %, clustered by document; differences "
        f'are paired on items. "=" means that the interval lies within {margin} points of 0, "not told apart" that the '
        f"exam shows neither a difference nor equality, or has fewer than {MIN_CLUSTERS} clusters. The margin on "
        f"reading is {margin} points. {escape(FEW_NOTE)}; {escape(HOLM_NOTE)}: not significant when adjusted for all "
        "comparisons of the table.",
        "",
    ]
    folded = heat.folded(report)
    for name, picture in pictures.items():
        if name not in folded.values():
            lines += [f"![{name}](figures/{name}.png)", "", f"*{escape(picture.caption)}*", ""]
    if folded:
        links = ", ".join(f"[{escape(cell)}](figures/{name}.png)" for cell, name in folded.items())
        lines += [f"Length and depth of each cell: {links}.", ""]
    lines += _table(
        "The gate", ["cell", "gains knowledge", "keeps reading", "P over all cells", "readable", "clean"], _gate(report)
    )
    columns = ["cell", "axis", "selected %", "to base", "confirmed %", "to base", "items", "in training data"]
    lines += _table("Selected and confirmed", columns, _confirmations(report))
    cells = [cell.name for cell in report.cells]
    lines += _table(
        f"By condition, {mode} mode",
        ["condition", *cells, "question-blind", "book-blind", "N"],
        _conditions(report, mode),
    )
    lines += _table("Above question-blind, points", ["part", *cells], _above_floors(report))
    columns = ["cell", "taught %", "to base", "untaught %", "to base", "taught minus untaught, to base"]
    lines += _table(f"Taught and untaught, {mode} mode", columns, _knowledge(report))
    columns = ["cell", "published", "measured", "difference", "published value lies"]
    lines += _table("Published and measured, %", columns, _published(report))
    columns = ["cell", "Book", "to base, points", "n", "clusters"]
    lines += _table("Where reading is lost", columns, _grid(report))
    columns = ["cell", "knows", "reads", "context gain", "trusts memory", "invents"]
    lines += _table(f"Behaviour, {mode} mode", columns, _behaviours(report))
    columns = ["cell", "axis", *(verdict.replace("_", " ") for verdict in Verdict), "N", "accuracy", "at most"]
    lines += _table(f"Verdicts, {mode} mode", columns, _verdicts(report))
    columns = ["cell", "axis", *TEXT_MODES, ""]
    lines += _table("Words by scoring of the options' texts", columns, _word_changes(report))
    for other in report.modes[1:]:
        lines += _table(f"{other} mode", ["cell", *axes], _mode(report, other))
    columns = ["cell", "axis", "mode", "mean", "right in all", "flips", "orders"]
    lines += _table("Option orders", columns, _option_orders(report))
    columns = ["cell", "axis", "a longest option %", "if length did not matter %"]
    lines += _table(f"Choice of the longest option, {mode} mode", columns, _longest_options(report))
    columns = ["cell", "axis", "calibration error", "confidence %", "accuracy %", "answers"]
    lines += _table(f"Calibration, ten bins (Guo et al. 2017), {mode} mode", columns, _calibrations(report))
    columns = ["cell", "mode", "chosen", "recall", "spread"]
    lines += _table("Letters as shown", columns, _letter_bias(report))
    columns = ["cell", "axis", "all items", "clean items", "clean n"]
    lines += _table(f"Contamination, {mode} mode", columns, _clean_scores(report))
    columns = ["model", "axis", "mode", "answers changed", "verdicts changed", "floor", "computed by"]
    lines += _table("Noise floor", columns, _noise_floor(report))
    columns = ["comparison", "axis", "points [95 %]", "p (Holm)", "detects", "n"]
    lines += _table("All pairs", columns, _pairs(report))
    columns = ["cell", "model", "seed", "weights", "adapter", "engine", "requests", "prompt tokens", "seconds"]
    lines += _table("Provenance", columns, _provenance(report))
    return "\n".join(lines)
