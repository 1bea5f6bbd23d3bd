"""Rows of the files that hold exams: JSON lines (plain or gzipped), Parquet and CSV, each with its line number."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import JsonProblemError, parse_json
from medctx_eval.exams.schema import ExamRow

NumberedRow = tuple[int, ExamRow | str]
"""A line number, from 1, with its row, or the reason why the line holds none. Rows of Parquet count as lines."""

_KINDS = ".jsonl, .jsonl.gz, .json (one object per line), .parquet or .csv"
_BATCH = 1024


def _json_row(line: bytes) -> ExamRow | str:
    """The row of a line, or the reason why it holds none."""
    try:
        row = parse_json(line)
    except JsonProblemError as error:
        return str(error)
    return row if isinstance(row, dict) else f"holds a {type(row).__name__}, not an object"


def _json_lines(path: Path) -> Iterator[NumberedRow]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if content.strip():
                yield number, _json_row(content)


def _require_different(path: Path, columns: Sequence[str]) -> None:
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise MedctxError(f"{path} has the column {twice!r} twice; rename or remove one of them.")


def _parquet(path: Path) -> Iterator[NumberedRow]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise MedctxError(
            f"Reading {path} needs the package pyarrow, which is not installed; "
            "run: pip install 'medctx-eval[parquet]'."
        ) from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            _require_different(path, file.schema_arrow.names)
            for batch in file.iter_batches(_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except arrow.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise MedctxError(f"{path} is not Parquet ({reason}); give a complete Parquet file.") from None


def _csv(path: Path) -> Iterator[NumberedRow]:
    # utf-8-sig: a byte-order mark, which spreadsheets write, would become part of the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        _require_different(path, rows.fieldnames or ())
        for row in rows:
            yield rows.line_num, {key: value for key, value in row.items() if key is not None}


def numbered_rows(path: Path) -> Iterator[NumberedRow]:
    """Yield every row of a file with its line number, and what is wrong with lines that hold none."""
    if not path.is_file():
        raise MedctxError(f"The file {path} does not exist; give the path of a file ({_KINDS}).")
    readers = {".jsonl": _json_lines, ".json": _json_lines, ".parquet": _parquet, ".csv": _csv}
    reader = readers.get(Path(path.name.removesuffix(".gz")).suffix.lower())
    if reader is None or (path.suffix == ".gz" and reader is not _json_lines):
        raise MedctxError(f"{path} is not a file type that exams are read from; give {_KINDS}.")
    try:
        yield from reader(path)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise MedctxError(f"{path} cannot be read to its end ({error}); give a complete file.") from None


def read_table(path: Path) -> Iterator[tuple[int, ExamRow]]:
    """Yield every row of a file with its line number; raises MedctxError at the first line that holds none."""
    for number, row in numbered_rows(path):
        if isinstance(row, str):
            raise MedctxError(f"{path}:{number} {row}; mend or remove that line.")
        yield number, row
