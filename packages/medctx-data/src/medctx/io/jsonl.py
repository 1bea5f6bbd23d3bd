"""JSON lines on disk: read with file:line in every error, written whole or not at all, appended line by line."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

from pydantic import BaseModel, ValidationError

from medctx.errors import MedctxError
from medctx.io.atomic import atomic_file

RecordT = TypeVar("RecordT", bound=BaseModel)


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    if not path.is_file():
        raise MedctxError(f"The file {path} does not exist; give the path of a .jsonl or .jsonl.gz file.")
    with _open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, line


def _row(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise MedctxError(
            f"{path}:{number} is not JSON ({error.msg} at column {error.colno}); mend or remove that line."
        ) from None
    if not isinstance(row, dict):
        raise MedctxError(f"{path}:{number} holds a {type(row).__name__}, not an object; mend that line.")
    return row


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield ``(line number, row)`` of a (gzipped) JSON-lines file; blank lines are skipped."""
    for number, line in _lines(path):
        yield number, _row(path, number, line)


def describe(error: ValidationError) -> str:
    """The first problem of a pydantic error in one clause: where, what, which value."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def read_records(path: Path, kind: type[RecordT]) -> Iterator[RecordT]:
    """Yield every line of ``path`` as a ``kind`` record."""
    for number, line in _lines(path):
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            _row(path, number, line)  # says it better where the line is no JSON object at all
            raise MedctxError(
                f"{path}:{number} is no {kind.__name__} ({describe(error)}); mend or remove that line."
            ) from None


def require_space(folder: Path, needed_bytes: int) -> None:
    """Refuse before writing when the disk under ``folder`` has less than ``needed_bytes`` free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise MedctxError(
            f"{folder} has {free / 2**20:,.0f} MiB free but {needed_bytes / 2**20:,.0f} MiB are needed; "
            "free some space or choose another folder with --out."
        )


@contextmanager
def _text_writer(binary: BinaryIO, *, packed: bool) -> Iterator[TextIO]:
    if not packed:
        plain = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        yield plain
        # Flushed, and left open: the caller has yet to bring it to the disk.
        plain.detach()
        return
    # Without a time and a name in its head, the same content gives the same bytes.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=binary, mtime=0) as pressed,
        io.TextIOWrapper(pressed, encoding="utf-8", newline="") as packing,
    ):
        yield packing


@contextmanager
def atomic_writer(path: Path) -> Iterator[TextIO]:
    """A text file (gzipped where its name ends so) that appears under its name only when the block ends without an
    error.
    """
    with atomic_file(path) as binary, _text_writer(binary, packed=path.suffix == ".gz") as stream:
        yield stream


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically."""
    with atomic_writer(path) as stream:
        stream.write(text)


def write_records(path: Path, records: Iterable[BaseModel]) -> int:
    """Write records atomically, one JSON object a line; returns how many."""
    count = 0
    with atomic_writer(path) as stream:
        for record in records:
            stream.write(record.model_dump_json() + "\n")
            count += 1
    return count


def write_record(path: Path, record: BaseModel) -> None:
    """Write one record atomically as indented JSON."""
    write_text(path, record.model_dump_json(indent=2) + "\n")


def read_record(path: Path, kind: type[RecordT]) -> RecordT:
    """Read one record written by :func:`write_record`."""
    if not path.is_file():
        raise MedctxError(f"The file {path} does not exist; it should hold a {kind.__name__}.")
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise MedctxError(f"{path} is no {kind.__name__} ({describe(error)}); mend or remove the file.") from None
