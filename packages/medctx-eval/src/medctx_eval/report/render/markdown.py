"""The report as a page of Markdown: the same tables as the HTML page, without the item browser."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence

from medctx.schemas.records import Mode, Verdict
from medctx.schemas.report import FEWEST, Accuracy, Difference
from medctx_eval.report.load import parts
from medctx_eval.report.model import KNOWLEDGE, READING, UNTAUGHT, Check, Report
from medctx_eval.report.render.figures import Picture, heat
from medctx_eval.report.render.tables import DOUBT_NOTE, FEW_NOTE, HEADER, rows
from medctx_eval.stats.words import accuracy_interval, difference_interval, p_value, percent, points, verb

Lines = Iterator[Sequence[str]]
_HOLDS = {True: "holds", False: "fails", None: "not checked"}


def escape(text: str) -> str:
    """Text that means itself inside a Markdown table."""
    flat = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{sign}" if sign in r"\`*_|[]#~" else sign for sign in flat)


def _table(title: str, header: Sequence[str], lines: Lines) -> list[str]:
    """A headed table; nothing where it would be empty."""
    found = ["| " + " | ".join(map(escape, line)) + " |" for line in lines]
    if not found:
        return []
    head = "| " + " | ".join(map(escape, header)) + " |"
    return [*([f"## {escape(title)}", ""] if title else []), head, "|" + " --- |" * len(header), *found, ""]


def _share(found: Accuracy | None) -> str:
    return f"{percent(found.value)} [{accuracy_interval(found)}]" if found else ""


def _gain(found: Difference | None) -> str:
    return f"{points(found.value)} [{difference_interval(found)}]" if found else ""


def _check(one: Check) -> str:
    if one.value is None:
        return _HOLDS[one.passed]
    shown = points if one.name in {"knowledge", "reading"} else percent
    return f"{_HOLDS[one.passed]} ({shown(one.value)}, limit {shown(one.limit)})"


def _gate(report: Report) -> Lines:
    for cell in report.tuned:
        own = [one for one in report.checks if one.cell == cell.name]
        if own:
            yield [cell.name, *(_check(one) for one in own)]


def _conditions(report: Report, mode: Mode) -> Lines:
    asked = dict.fromkeys(score.part for score in report.scores if score.mode == mode)
    wanted = [part for part in sorted(asked, key=parts.order) if parts.is_condition(part)]
    wanted += [UNTAUGHT] if UNTAUGHT in asked else []
    for part in wanted:
        scores = [report.score(cell.name, part, mode) for cell in report.cells]
        count = next(f"{score.n:,}" for score in scores if score)
        yield [parts.title(part), *(_share(score.accuracy) if score else "" for score in scores), count]


def _published(report: Report) -> Lines:
    for one in report.published.cells if report.published else ():
        found = one.measured
        gap = points(found.value - one.value) if found else ""
        yield [one.cell, percent(one.value), _share(found) or "not examined", gap, one.place or ""]


def _grid(report: Report) -> Lines:
    for one in report.family("grid"):
        found = one.difference
        counts = f"{found.n:,}", f"{found.clusters:,}"
        yield [one.cell, parts.title(one.part), f"{one.word} {_gain(found)}", *counts]


def _conduct(report: Report) -> Lines:
    for one in report.conduct:
        found = one.behaviour
        shares = _share(found.trusts_memory), _share(found.invents)
        yield [one.cell, _share(found.knows), _share(found.reads), _gain(found.context_gain), *shares]


def _verdicts(report: Report) -> Lines:
    for part in (KNOWLEDGE, READING):
        for cell in report.cells:
            score = report.score(cell.name, part)
            if score:
                counts = (f"{score.verdicts[verdict]:,}" for verdict in Verdict)
                bounds = percent(score.accuracy.value), percent(score.upper)
                yield [cell.name, part, *counts, f"{score.n:,}", *bounds]


def _mode(report: Report, mode: Mode) -> Lines:
    for cell in report.cells:
        found = []
        for part in (KNOWLEDGE, READING):
            score, gain = report.score(cell.name, part, mode), report.gain(cell.name, part, mode)
            found += [_share(score.accuracy) if score else "", f"{gain.word} {_gain(gain.difference)}" if gain else ""]
        if any(found):
            yield [cell.name, *found]


def _orders(report: Report) -> Lines:
    for one in report.orders:
        yield [
            one.cell,
            one.part,
            one.mode,
            percent(one.mean),
            _share(one.all_right),
            _share(one.flips),
            str(one.orders),
        ]


def _letters(report: Report) -> Lines:
    for one in report.letters:
        chosen = ", ".join(f"{letter} {percent(share)}" for letter, share in one.chosen.items())
        recall = ", ".join(f"{letter} {percent(share)}" for letter, share in one.recall.items())
        yield [one.cell, one.mode, chosen, recall, percent(one.spread)]


def _clean(report: Report) -> Lines:
    for one in report.clean:
        yield [one.cell, one.part, _share(one.every), _share(one.clean), f"{one.clean.n if one.clean else 0:,}"]


def _repeated(report: Report) -> Lines:
    for one in report.repeated:
        found = one.noise
        yield [one.cell, one.part, one.mode, _share(found.answers), _share(found.verdicts), percent(found.floor)]


def _pairs(report: Report) -> Lines:
    for one in report.family("pairs"):
        found = one.difference
        named = f"{one.cell} {verb(one.word)} {one.other}"
        yield [named, one.part, _gain(found), p_value(one.p_holm), percent(found.detectable), f"{found.n:,}"]


def _made(report: Report) -> Lines:
    for cell in report.cells:
        for run in cell.runs:
            made = run.manifest
            seed = "" if made.training_seed is None else str(made.training_seed)
            digests = made.weights_digest[:12], made.adapter_digest[:12]
            cost = f"{made.cost.requests:,}", f"{made.cost.prompt_tokens:,}", f"{made.cost.seconds:,.0f}"
            yield [cell.name, made.model, seed, *digests, made.engine, *cost]


def page(report: Report, pictures: Mapping[str, Picture]) -> str:
    """``pictures`` are shown by their names as files in ``figures/``."""
    mode, axes = report.mode, [KNOWLEDGE, "to base", READING, "to base"]
    lines = [f"# {escape(report.title)}", "", f"**{escape(report.headline)}**", ""]
    lines += _table("", HEADER, iter([row.values for row in rows(report)]))
    lines += [
        f"Accuracy is correct / N in {mode} mode; intervals are 95 %, clustered by document; differences are paired on "
        f"items. A tie is an interval that contains 0, or fewer than {FEWEST} clusters; the margin on reading is "
        f"{points(-report.margin)} points. {escape(FEW_NOTE)}; {escape(DOUBT_NOTE)}: not sure when all comparisons of "
        "the table are looked at together.",
        "",
    ]
    folded = heat.folded(report)
    for name, picture in pictures.items():
        if name not in folded.values():
            lines += [f"![{name}](figures/{name}.png)", "", f"*{escape(picture.caption)}*", ""]
    if folded:
        links = ", ".join(f"[{escape(cell)}](figures/{name}.png)" for cell, name in folded.items())
        lines += [f"Length and depth of each cell: {links}.", ""]
    lines += _table("The gate", ["cell", "gains knowledge", "keeps reading", "readable", "clean"], _gate(report))
    cells = [cell.name for cell in report.cells]
    lines += _table(f"By condition, {mode} mode", ["condition", *cells, "N"], _conditions(report, mode))
    beside = ["cell", "published", "measured", "difference", "published lies"]
    lines += _table("Published beside measured, %", beside, _published(report))
    lines += _table("Where reading is lost", ["cell", "book", "to base, points", "n", "clusters"], _grid(report))
    conduct = ["cell", "knows", "reads", "context gain", "trusts memory", "invents"]
    lines += _table(f"What the cells do, {mode} mode", conduct, _conduct(report))
    counts = [verdict.replace("_", " ") for verdict in Verdict]
    lines += _table(f"Verdicts, {mode} mode", ["cell", "axis", *counts, "N", "accuracy", "at most"], _verdicts(report))
    for other in report.modes[1:]:
        lines += _table(f"{other} mode", ["cell", *axes], _mode(report, other))
    orders = ["cell", "axis", "mode", "mean", "right in all", "flips", "orders"]
    lines += _table("When the options change places", orders, _orders(report))
    lines += _table("Letters as they were shown", ["cell", "mode", "chosen", "recall", "spread"], _letters(report))
    clean = ["cell", "axis", "all items", "clean items", "clean n"]
    lines += _table(f"Contamination, {mode} mode", clean, _clean(report))
    noise = ["model", "axis", "mode", "answers changed", "verdicts changed", "floor"]
    lines += _table("Noise floor", noise, _repeated(report))
    lines += _table("Every pair", ["comparison", "axis", "points [95 %]", "p (Holm)", "sees", "n"], _pairs(report))
    made = ["cell", "model", "seed", "weights", "adapter", "engine", "requests", "prompt tokens", "seconds"]
    lines += _table("How it was made", made, _made(report))
    return "\n".join(lines)
