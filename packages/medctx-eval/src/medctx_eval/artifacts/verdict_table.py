"""The verdict counts and costs of an examined model, for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from medctx.schemas.exam_run import Cost
from medctx.schemas.records import Judged, Verdict
from medctx_eval.exams.condition import parse

_HEADINGS = {
    Verdict.CORRECT: "right",
    Verdict.WRONG: "wrong",
    Verdict.ABSTAINED: "abst.",
    Verdict.UNPARSABLE: "unp.",
    Verdict.TRUNCATED: "trunc.",
    Verdict.DOES_NOT_FIT: "no fit",
    Verdict.FAILED: "failed",
}


def _without_depth(condition: str) -> str:
    """The name of a Condition over all its depths."""
    return parse(condition).model_copy(update={"depth": None}).name


def verdict_table(name: str, judged: Iterable[Judged]) -> Table:
    """One row per Condition and mode, in the order they were asked; the verdicts of a row add up to its N."""
    counts: dict[tuple[str, str], Counter[Verdict]] = {}
    for record in judged:
        counts.setdefault((_without_depth(record.condition), record.mode), Counter())[record.verdict] += 1
    table = Table(title=Text(name), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("condition")
    table.add_column("mode")
    for heading in ("N", *_HEADINGS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    order = list(dict.fromkeys(condition for condition, _ in counts))
    for (condition, mode), row in sorted(counts.items(), key=lambda entry: order.index(entry[0][0])):
        numbers = (row.total(), *(row[verdict] for verdict in _HEADINGS))
        table.add_row(Text(condition), Text(mode), *(f"{number:,}" for number in numbers))
    return table


def cost_line(cost: Cost) -> str:
    """The cost in one sentence, without figures that the server does not report."""
    line = f"{cost.requests:,} requests, {cost.prompt_tokens:,} prompt tokens"
    if cost.computed_tokens is not None and cost.prompt_tokens:
        share = 1 - cost.computed_tokens / cost.prompt_tokens
        line += f" of which {cost.computed_tokens:,} were computed ({100 * share:.1f} % from the cache)"
    if cost.book_prefills is not None:
        line += f", {cost.book_prefills:,.1f} prefills of {cost.books:,} Books"
    return f"{line}, {cost.seconds:,.0f} s."
