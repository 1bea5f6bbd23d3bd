"""What an examined model's answers came to, for the terminal: verdicts counted, and what they cost."""

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


def _asked(condition: str) -> str:
    """The Condition over all its depths."""
    return parse(condition).model_copy(update={"depth": None}).name


def verdict_table(name: str, judged: Iterable[Judged]) -> Table:
    """One row per Condition and mode, in the order they were asked; the verdicts of a row add up to its N."""
    counts: dict[tuple[str, str], Counter[Verdict]] = {}
    for one in judged:
        counts.setdefault((_asked(one.condition), one.mode), Counter())[one.verdict] += 1
    table = Table(title=Text(name), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("condition")
    table.add_column("mode")
    for heading in ("N", *_HEADINGS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    places = list(dict.fromkeys(condition for condition, _ in counts))
    for (condition, mode), found in sorted(counts.items(), key=lambda row: places.index(row[0][0])):
        numbers = (found.total(), *(found[verdict] for verdict in _HEADINGS))
        table.add_row(Text(condition), Text(mode), *(f"{number:,}" for number in numbers))
    return table


def cost_line(cost: Cost) -> str:
    """What it took, in one sentence; of what a server does not tell nothing is said."""
    said = f"{cost.requests:,} requests, {cost.prompt_tokens:,} prompt tokens"
    if cost.computed_tokens is not None and cost.prompt_tokens:
        share = 1 - cost.computed_tokens / cost.prompt_tokens
        said += f" of which {cost.computed_tokens:,} were computed ({100 * share:.1f} % from the cache)"
    if cost.book_prefills is not None:
        said += f", {cost.book_prefills:,.1f} prefills of {cost.books:,} Books"
    return f"{said}, {cost.seconds:,.0f} s."
