"""Tables once, for the terminal and for Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Sheet:
    """A table of texts: the first column to the left, the others to the right."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        """For the terminal, without the title: rich folds titles to the width of their table."""
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for number, name in enumerate(self.header):
            table.add_column(name, justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            # Rich reads plain strings as markup; Text is taken as it is.
            table.add_row(*map(Text, row))
        return table

    def markdown(self) -> str:
        """As a pipe table under its title."""

        def line(cells: tuple[str, ...]) -> str:
            return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

        rule = ("---", *("---:" for _ in self.header[1:]))
        return "\n".join([f"**{self.title}**", "", line(self.header), line(rule), *map(line, self.rows)])
