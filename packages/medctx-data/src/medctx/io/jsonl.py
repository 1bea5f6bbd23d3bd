"""JSON lines on disk: every error names file and line; files are written whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar, cast

from pydantic import BaseModel, ValidationError

from medctx.errors import MedctxError
from medctx.io.atomic import atomic_file
from medctx.io.checked_lines import ChecksumError, is_sealed, seal, unseal

RecordT = TypeVar("RecordT", bound=BaseModel)


class JsonProblemError(ValueError):
    """A text is no JSON that can be used: a clause that continues "the line ..."."""


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its pairs, for ``json.loads``; raises JsonProblemError at a key that stands twice."""
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise JsonProblemError(f"has the key {next(name for name in names if names.count(name) > 1)!r} twice")
    return row


def parse_json(line: bytes) -> object:
    """Parse one JSON text strictly.

    Raises:
        JsonProblemError: The text is not UTF-8 or not JSON, is nested too deeply, repeats a key of an object, or holds
            half of a surrogate pair, which is no character, or a number of thousands of digits.
    """
    try:
        value: object = json.loads(line.decode("utf-8"), object_pairs_hook=unique_keys)
        if b"\\ud" in line or b"\\uD" in line:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise JsonProblemError(f"is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise JsonProblemError(f"is not JSON ({error.msg} at column {error.colno})") from None
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise JsonProblemError(f"holds {half}, half of a surrogate pair and no character") from None
    except RecursionError:
        raise JsonProblemError("is nested too deeply") from None
    except JsonProblemError:
        raise
    except ValueError:
        raise JsonProblemError("holds a number of thousands of digits") from None
    return value


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked where it is gzipped; a damaged archive is one sentence."""
    if not path.is_file():
        raise MedctxError(f"The file {path} does not exist; give the path of a .jsonl or .jsonl.gz file.")
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            yield cast(BinaryIO, stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MedctxError(f"The file {path} is no complete gzip archive ({error}); fetch or pack it again.") from None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            content = line.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1:
                content = content.removeprefix(b"\xef\xbb\xbf")
            if not content.strip():
                continue
            try:
                yield number, unseal(content) if is_sealed(content) else content
            except ChecksumError as error:
                raise MedctxError(f"{path}:{number} {error}; restore the file or make it again.") from None


def _row(path: Path, number: int, line: bytes) -> dict[str, object]:
    try:
        row = parse_json(line)
    except JsonProblemError as error:
        raise MedctxError(f"{path}:{number} {error}; mend or remove that line.") from None
    if not isinstance(row, dict):
        raise MedctxError(f"{path}:{number} holds a {type(row).__name__}, not an object; mend that line.")
    return row


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield ``(line number, row)`` of a (gzipped) JSON-lines file; blank lines are skipped."""
    for number, line in _lines(path):
        yield number, _row(path, number, line)


def describe(error: ValidationError) -> str:
    """Return the first problem of a pydantic error in one clause: where, what, which value."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def parse_record(kind: type[RecordT], line: bytes, path: Path, number: int) -> RecordT:
    """Parse one line of a file as a record."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        _row(path, number, line)  # gives a better error where the line is no JSON object at all
        raise MedctxError(
            f"{path}:{number} is no {kind.__name__} ({describe(error)}); mend or remove that line."
        ) from None


def read_records(path: Path, kind: type[RecordT]) -> Iterator[RecordT]:
    """Yield every line of ``path`` as a ``kind`` record; checksums of lines are verified where they have one."""
    for number, line in _lines(path):
        yield parse_record(kind, line, path, number)


def require_space(folder: Path, needed_bytes: int) -> None:
    """Refuse before writing if the disk under ``folder`` has less than ``needed_bytes`` free."""
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
        # Flushed and left open: the caller still has to sync it.
        plain.detach()
        return
    # Without a time and a name in its header, the same content gives the same bytes.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=binary, mtime=0) as archive,
        io.TextIOWrapper(archive, encoding="utf-8", newline="") as stream,
    ):
        yield stream


@contextmanager
def atomic_writer(path: Path) -> Iterator[TextIO]:
    """Open a text file (gzipped if its name ends in .gz) that appears when the block ends without an error."""
    with atomic_file(path) as binary, _text_writer(binary, packed=path.suffix == ".gz") as stream:
        yield stream


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically."""
    with atomic_writer(path) as stream:
        stream.write(text)


def write_records(path: Path, records: Iterable[BaseModel], *, checked: bool = False) -> int:
    """Write records atomically, one JSON object a line; return how many.

    With ``checked`` every line gets a checksum, which ``read_records`` verifies.
    """
    count = 0
    with atomic_writer(path) as stream:
        for record in records:
            line = record.model_dump_json()
            stream.write(f"{seal(line.encode()).decode() if checked else line}\n")
            count += 1
    return count


def write_record(path: Path, record: BaseModel) -> None:
    """Write one record atomically as indented JSON."""
    write_text(path, record.model_dump_json(indent=2) + "\n")


def read_record(path: Path, kind: type[RecordT]) -> RecordT:
    """Read one record written by ``write_record``."""
    if not path.is_file():
        raise MedctxError(f"The file {path} does not exist; it should hold a {kind.__name__}.")
    content = path.read_bytes()
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise MedctxError(f"{path} is no {kind.__name__} ({describe(error)}); mend or remove the file.") from None
