"""Rows of the files that hold exams, in every format that ``medctx.tables`` reads, each with its line number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medctx.errors import MedctxError
from medctx.tables import files
from medctx_eval.exams.schema import ExamRow

NumberedRow = tuple[int, ExamRow | str]
"""A line number, from 1, with its row, or the reason why the line holds none. Rows of Parquet count as lines."""

SPLITS = ("test", "validation", "train")
"""The splits of a JSON file with several, that which is read first."""


def numbered_rows(path: Path) -> Iterator[NumberedRow]:
    """Yield every row of a file with its line number, and what is wrong with lines that hold none."""
    for row in files.rows(path, SPLITS):
        yield row.number, row.problem or row.columns


def read_table(path: Path) -> Iterator[tuple[int, ExamRow]]:
    """Yield every row of a file with its line number; raises MedctxError at the first line that holds none."""
    for number, row in numbered_rows(path):
        if isinstance(row, str):
            raise MedctxError(f"{path}:{number} {row}; mend or remove that line.")
        yield number, row
