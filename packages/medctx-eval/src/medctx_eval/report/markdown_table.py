"""Tables in Markdown: for the page of a report, and for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def escape(text: str) -> str:
    """Text that stands for itself inside a Markdown table."""
    flat = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{sign}" if sign in r"\`*_|[]#~" else sign for sign in flat)


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; none if it has no rows."""
    lines = ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return ["| " + " | ".join(map(escape, header)) + " |", "|" + " --- |" * len(header), *lines] if lines else []
