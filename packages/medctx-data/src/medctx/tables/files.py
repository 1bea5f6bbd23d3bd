"""Rows of files as dictionaries, read as a stream: JSON lines, JSON, CSV, Parquet or Arrow, packed or not."""

from __future__ import annotations

import csv
import io
import itertools
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.tables.json_rows import json_rows
from medctx.tables.opening import (
    FORMATS,
    PACKED,
    SHOWN,
    SUFFIXES,
    FileRow,
    conversion,
    head_of,
    open_unpacked,
    require_pyarrow,
    suffix_of,
)

if TYPE_CHECKING:
    import pyarrow

DELIMITERS = ",;\t|"
_BATCH = 1_000
_LONGEST_CELL = 2**27


def _width(text: str, mark: str) -> int:
    """Columns of the first line, 0 where it is no line of a table."""
    try:
        return len(next(csv.reader(io.StringIO(text, newline=""), delimiter=mark), []))
    except csv.Error:
        return 0


def _delimiter(text: str, path: Path) -> str:
    """The delimiter that divides the first line into most columns."""
    if suffix_of(path) == ".tsv":
        return "\t"
    widths = {mark: _width(text, mark) for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: widths[mark])


def _csv(path: Path, splits: Sequence[str]) -> Iterator[FileRow]:
    csv.field_size_limit(_LONGEST_CELL)
    head = head_of(path).decode("utf-8-sig", errors="ignore")
    with open_unpacked(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        # strict: a quotation mark that is never closed would swallow the rest of the file.
        rows = csv.reader(text, delimiter=_delimiter(head, path), strict=True)
        try:
            names = _column_names(next(rows, []))
            _require_different(path, names, ", or add a first line with the names of the columns if there is none")
            before = rows.line_num
            for row in rows:
                number, before = before + 1, rows.line_num
                if not any(row):
                    continue
                if len(row) == len(names):
                    yield FileRow(number, dict(zip(names, row, strict=True)))
                else:
                    problem = f"has {len(row)} columns where the first line names {len(names)}"
                    yield FileRow(number, {}, problem, ",".join(row)[:SHOWN])
        except csv.Error as error:
            raise MedctxError(
                f"The file {path} is not a table from line {rows.line_num} on ({error}); close the quotation mark or "
                "double it."
            ) from None


def _column_names(cells: Sequence[str]) -> list[str]:
    """The names of columns; those without a name, an index or what follows a last comma, are numbered."""
    names = [name.strip() for name in cells]
    return [name or f"column {number}" for number, name in enumerate(names, start=1)] if any(names) else names


def _require_different(path: Path, names: Sequence[str], remedy: str = "") -> None:
    repeated = next((name for name in names if names.count(name) > 1), "")
    if repeated:
        raise MedctxError(f"The file {path} names the column {repeated!r} twice; rename or remove one{remedy}.")


def _numbered(path: Path, batches: Iterator[pyarrow.RecordBatch]) -> Iterator[FileRow]:
    for number, row in enumerate(itertools.chain.from_iterable(batch.to_pylist() for batch in batches), start=1):
        yield FileRow(number, row)


def _parquet(path: Path, splits: Sequence[str]) -> Iterator[FileRow]:
    require_pyarrow(path)
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            _require_different(path, file.schema_arrow.names)
            yield from _numbered(path, file.iter_batches(batch_size=_BATCH))
    except pyarrow.ArrowException as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise MedctxError(f"The file {path} is not a complete Parquet file ({why}); fetch it again.") from None


def _arrow_file(path: Path, splits: Sequence[str]) -> Iterator[FileRow]:
    """Rows of an Arrow stream, which ``save_to_disk`` writes, or of an Arrow file."""
    require_pyarrow(path)
    import pyarrow
    from pyarrow import ipc

    try:
        with pyarrow.memory_map(str(path)) as stream:
            if stream.read(6) == b"ARROW1":
                reader = ipc.open_file(stream)
                yield from _numbered(path, (reader.get_batch(at) for at in range(reader.num_record_batches)))
            else:
                stream.seek(0)
                yield from _numbered(path, iter(ipc.open_stream(stream)))
    except pyarrow.ArrowException as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise MedctxError(f"The file {path} is not a complete Arrow file ({why}); fetch it again.") from None


READERS = {
    "JSON lines": json_rows,
    "JSON": json_rows,
    "CSV": _csv,
    "TSV": _csv,
    "Parquet": _parquet,
    "Arrow": _arrow_file,
}


def _reject_pointer(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(40).startswith(b"version https://git-lfs"):
            raise MedctxError(f"{path} is a Git LFS pointer, not the data; run 'git lfs pull' in its folder.")


def _reject_utf16(path: Path) -> None:
    with open_unpacked(path) as stream:
        if stream.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            raise MedctxError(f"The file {path} is not UTF-8; {conversion(path)}.")


def rows(path: Path, splits: Sequence[str] = ("train",)) -> Iterator[FileRow]:
    """Yield the rows of a file in their order, read as they are needed; blank lines are no rows.

    Args:
        path: The file.
        splits: The splits of which a JSON file's rows are read if it has them by name, the first that there is;
            ``all`` for every one.

    Raises:
        MedctxError: The file does not exist, is of an unknown format, or is damaged beyond single rows.
    """
    if not path.is_file():
        raise MedctxError(f"The file {path} does not exist; give the path of a file with rows.")
    kind = FORMATS.get(suffix_of(path))
    if kind is None or (kind in {"Parquet", "Arrow"} and path.suffix.lower() in PACKED):
        raise MedctxError(
            f"The file {path} has an unknown format; give one that ends in {', '.join(SUFFIXES)}, "
            "text formats packed (.gz, .zst) or not."
        )
    try:
        _reject_pointer(path)
        if kind not in {"Parquet", "Arrow"}:
            _reject_utf16(path)
        yield from READERS[kind](path, splits)
    except RecursionError:
        raise MedctxError(f"The file {path} is nested too deeply; give a list of rows.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise MedctxError(f"The file {path} cannot be read ({error}); fetch or pack it again.") from None
    except UnicodeDecodeError as error:
        raise MedctxError(f"The file {path} is not UTF-8 (byte {error.start}); {conversion(path)}.") from None
