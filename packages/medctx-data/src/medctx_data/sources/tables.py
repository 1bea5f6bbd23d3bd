"""Rows of files as dictionaries, read as a stream: JSON lines, a JSON array, CSV or Parquet, gzipped or not."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import ijson

from medctx.errors import MedctxError
from medctx.io.jsonl import JsonProblemError, parse_json

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
_BATCH = 1_000
_LONGEST_CELL = 2**27
_SHOWN = 500


class FileRow(NamedTuple):
    """One row of a file.

    Attributes:
        number: Its number in the file, from 1.
        columns: Its columns, empty where they could not be read.
        problem: Why they could not be read, as a clause that continues "the row ..."; ``""`` where they were.
        text: The row as it stands in the file where it could not be read.
    """

    number: int
    columns: dict[str, object]
    problem: str = ""
    text: str = ""


class PlacedRow(NamedTuple):
    """A row of a file with the id of its Dialogue and its place (``file:line``)."""

    name: str
    place: str
    row: FileRow


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        yield cast(BinaryIO, stream)


def _kind(path: Path) -> str:
    """The suffix that says how to read ``path``; a ``.json`` file is an array or, as often, JSON lines."""
    names = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = names[-1] if names else ""
    if kind not in SUFFIXES:
        raise MedctxError(
            f"The file {path} has an unknown format; give one that ends in {', '.join(SUFFIXES)}, gzipped or not."
        )
    if kind in {".json", ".jsonl"}:
        with _opened(path) as stream:
            return ".json" if stream.read(4_096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[" else ".jsonl"
    return kind


def _line(number: int, line: bytes) -> FileRow:
    content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    shown = content.strip()[:_SHOWN].decode(errors="replace")
    try:
        row = parse_json(content)
    except JsonProblemError as error:
        return FileRow(number, {}, str(error), shown)
    if not isinstance(row, dict):
        return FileRow(number, {}, f"holds a {type(row).__name__}, not an object", shown)
    return FileRow(number, row)


class _Object(dict[str, object]):
    """An object of a JSON array that remembers a repeated key."""

    repeated = ""

    def __setitem__(self, key: str, value: object) -> None:
        if key in self:
            self.repeated = key
        super().__setitem__(key, value)


def _repeated_key(value: object) -> str:
    """A key that stands twice in an object or in one inside it, ``""`` where none does."""
    if isinstance(value, _Object):
        return value.repeated or next(filter(None, map(_repeated_key, value.values())), "")
    return next(filter(None, map(_repeated_key, value)), "") if isinstance(value, list) else ""


def _lines(path: Path) -> Iterator[FileRow]:
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _line(number, line)


def _array(path: Path) -> Iterator[FileRow]:
    with _opened(path) as stream:
        try:
            for number, row in enumerate(ijson.items(stream, "item", use_float=True, map_type=_Object), start=1):
                if repeated := _repeated_key(row):
                    yield FileRow(number, {}, f"has the key {repeated!r} twice", str(row)[:_SHOWN])
                elif isinstance(row, dict):
                    yield FileRow(number, row)
                else:
                    yield FileRow(number, {}, f"holds a {type(row).__name__}, not an object", str(row)[:_SHOWN])
        except ijson.JSONError as error:
            why = str(error).partition("\n")[0]
            raise MedctxError(f"The file {path} is not a complete JSON array ({why}); fetch or mend it.") from None


def _csv(path: Path) -> Iterator[FileRow]:
    csv.field_size_limit(_LONGEST_CELL)
    with _opened(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text)
        names = next(rows, [])
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise MedctxError(f"The file {path} names the column {repeated[0]!r} twice; rename or remove one.")
        for number, row in enumerate(rows, start=1):
            if not row:
                continue
            if len(row) == len(names):
                yield FileRow(number, dict(zip(names, row, strict=True)))
            else:
                problem = f"has {len(row)} columns where the first line names {len(names)}"
                yield FileRow(number, {}, problem, ",".join(row)[:_SHOWN])


def _parquet(path: Path) -> Iterator[FileRow]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MedctxError(
            f"{path} needs the package pyarrow, which is not installed; run: pip install 'medctx-data[parquet]'."
        ) from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield FileRow(number, row)
    except pyarrow.ArrowException as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise MedctxError(f"The file {path} is not a complete Parquet file ({why}); fetch it again.") from None


READERS = {".jsonl": _lines, ".json": _array, ".csv": _csv, ".parquet": _parquet}


def rows(path: Path) -> Iterator[FileRow]:
    """Yield the rows of ``path`` in their order, read as they are needed; blank lines are no rows.

    Raises:
        MedctxError: The file does not exist, is of an unknown kind, or is damaged beyond single rows.
    """
    if not path.is_file():
        raise MedctxError(f"The file {path} does not exist; give the path of a file with rows.")
    try:
        yield from READERS[_kind(path)](path)
    except (OSError, EOFError, csv.Error) as error:
        raise MedctxError(f"The file {path} cannot be read ({error}); fetch or pack it again.") from None
    except UnicodeDecodeError as error:
        raise MedctxError(f"The file {path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
