"""Rows of files as dictionaries, read as a stream: JSON lines, JSON, CSV, Parquet or Arrow, packed or not."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import ijson

from medctx.errors import MedctxError
from medctx.io.jsonl import JsonProblemError, parse_json
from medctx.process.progress import say

if TYPE_CHECKING:
    import pyarrow

FORMATS = {
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".json": "JSON",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".parquet": "Parquet",
    ".arrow": "Arrow",
}
"""Formats by the suffix of a file, which .gz or .zst may follow."""
SUFFIXES = tuple(FORMATS)
PACKED = (".gz", ".zst")
DELIMITERS = ",;\t|"
_ENCODINGS = ("cp1252", "cp1250", "cp1251", "gb18030", "big5", "shift_jis", "euc_kr", "cp1256")
"""Encodings that files come in beside UTF-8 and UTF-16."""
_BATCH = 1_000
_LONGEST_CELL = 2**27
_SHOWN = 500
_HEAD = 2**16
_PIECE = 2**20
_LONGEST_MARK = 24
_UNREAD_BY_C = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
    rb"|(?<![0-9.])[0-9]{19}"
)
"""Half of a surrogate pair, which the C parser of ijson makes a question mark, or an integer that it may refuse."""


class FileRow(NamedTuple):
    """One row of a file.

    Attributes:
        number: Its line in the file, from 1; its number where the format has no lines.
        columns: Its columns, empty where they could not be read.
        problem: Why they could not be read, as a clause that continues "the row ..."; ``""`` where they were.
        text: The row as it stands in the file where it could not be read.
    """

    number: int
    columns: dict[str, object]
    problem: str = ""
    text: str = ""


def suffix_of(path: Path) -> str:
    """Return the suffix that names the format of a file, in lower case and without that of its packing."""
    names = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in PACKED]
    return names[-1] if names else ""


def stem_of(path: Path) -> str:
    """Return the name of a file without the suffixes of format and packing."""
    name = path.name
    for suffix in (*PACKED, *SUFFIXES):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def _arrow(path: Path) -> None:
    """Check that pyarrow is installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MedctxError(
            f"Reading {path} needs the package pyarrow, which is not installed; run: pip install pyarrow."
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path.suffix.lower() == ".zst":
        _arrow(path)
        import pyarrow

        # The package zstandard ends a truncated file without an error.
        with pyarrow.OSFile(str(path)) as packed, pyarrow.CompressedInputStream(packed, "zstd") as unpacked:
            yield io.BufferedReader(unpacked, _HEAD)
        return
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as stream:
        yield cast(BinaryIO, stream)


def _head(path: Path) -> bytes:
    with _opened(path) as stream:
        return stream.read(_HEAD)


@lru_cache(maxsize=64)
def encoding_of(path: Path) -> str:
    """Return the likely encoding of a file that is not UTF-8, ``""`` where nothing suggests one."""
    head = _head(path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return ""
    best = from_bytes(head, cp_isolation=list(_ENCODINGS)).best()
    return best.encoding if best else ""


def _converted(path: Path) -> str:
    """What to do about a file that is not UTF-8."""
    encoding = encoding_of(path)
    remedy = f"the file looks like {encoding}, so convert it: iconv -f {encoding} -t utf-8" if encoding else ""
    return remedy or "save the file as UTF-8"


def _line(path: Path, number: int, line: bytes) -> FileRow:
    content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    shown = content.strip()[:_SHOWN].decode(errors="replace")
    try:
        row = parse_json(content)
    except JsonProblemError as error:
        problem = str(error)
        return FileRow(number, {}, f"{problem}; {_converted(path)}" if "is not UTF-8" in problem else problem, shown)
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


def _half_character(row: object) -> str:
    """Half of a surrogate pair in a row, ``""`` where there is none."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return ascii(error.object[error.start])[1:-1]
    return ""


def _object_row(number: int, row: object) -> FileRow:
    try:
        if repeated := _repeated_key(row):
            return FileRow(number, {}, f"has the key {repeated!r} twice", str(row)[:_SHOWN])
        if half := _half_character(row):
            return FileRow(number, {}, f"holds {half}, half of a surrogate pair and no character", str(row)[:_SHOWN])
        if isinstance(row, dict):
            return FileRow(number, row)
        return FileRow(number, {}, f"holds a {type(row).__name__}, not an object", str(row)[:_SHOWN])
    except RecursionError:
        return FileRow(number, {}, "is nested too deeply")


def _needs_python(path: Path) -> bool:
    """Whether a JSON file may hold what only the slower parser in Python reads as it stands."""
    data = b""
    with _opened(path) as stream:
        while True:
            start = min(len(data), _LONGEST_MARK // 4)
            piece = stream.read(_PIECE)
            data += piece
            match = _UNREAD_BY_C.search(data, start)
            # What begins near the end is looked at again with the next piece.
            if match and (not piece or match.start() < len(data) - _LONGEST_MARK // 2):
                return True
            if not piece:
                return False
            data = data[-_LONGEST_MARK:]


def _parser(path: Path) -> ModuleType:
    """The parser for a JSON file."""
    backend: ModuleType = ijson.get_backend("python") if _needs_python(path) else ijson
    return backend


def _lines(path: Path, split: str) -> Iterator[FileRow]:
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _line(path, number, line)


def _items(path: Path, prefix: str, what: str, parser: ModuleType) -> Iterator[FileRow]:
    with _opened(path) as stream:
        try:
            for number, row in enumerate(parser.items(stream, prefix, use_float=True, map_type=_Object), start=1):
                yield _object_row(number, row)
        except ijson.JSONError as error:
            why = str(error).partition("\n")[0]
            remedy = _converted(path) if "UTF8" in why else "fetch or mend it"
            raise MedctxError(f"The file {path} is not a complete {what} ({why}); {remedy}.") from None


class _Keys(NamedTuple):
    """The keys of a JSON object by what they hold."""

    lists: list[str]
    objects: list[str]
    others: list[str]


def _keys_of(path: Path, parser: ModuleType) -> _Keys:
    keys, depth, key, awaited = _Keys([], [], []), 0, "", ""
    with _opened(path) as stream:
        try:
            for event, value in parser.basic_parse(stream, use_float=True):
                if awaited == "value" and event == "start_array":
                    awaited = "item"
                elif awaited:
                    kind = keys.lists if awaited == "item" else keys.objects
                    (kind if event == "start_map" else keys.others).append(key)
                    awaited = ""
                elif depth == 1 and event == "map_key":
                    key, awaited = value, "value"
                depth += event in {"start_map", "start_array"}
                depth -= event in {"end_map", "end_array"}
        except ijson.JSONError as error:
            why = str(error).partition("\n")[0]
            raise MedctxError(f"The file {path} is not a complete JSON object ({why}); fetch or mend it.") from None
    return keys


@lru_cache(maxsize=256)
def _say_once(text: str) -> None:
    say(text)


def _object(path: Path, split: str) -> Iterator[FileRow]:
    """Rows of a JSON object: the list in it, the one of a split, its values by id, its columns, or itself."""
    parser = _parser(path)
    keys = _keys_of(path, parser)
    if keys.lists:
        chosen = [key for key in keys.lists if key == split] or [key for key in keys.lists if key == "data"]
        chosen = chosen or (keys.lists if len(keys.lists) == 1 else [])
        if not chosen:
            raise MedctxError(
                f"The file {path} holds several lists of rows ({', '.join(keys.lists)}); name one with the key split."
            )
        others = [key for key in (*keys.lists, *keys.objects, *keys.others) if key != chosen[0]]
        if others:
            _say_once(f"{path} is read from its key {chosen[0]!r}; not from {', '.join(others)}.")
        yield from _items(path, f"{chosen[0]}.item", "JSON object", parser)
        return
    with _opened(path) as stream:
        if keys.objects and not keys.others:
            pairs = parser.kvitems(stream, "", use_float=True, map_type=_Object)
            for number, (key, row) in enumerate(pairs, start=1):
                if isinstance(row, dict):
                    row.setdefault("id", key)
                yield _object_row(number, row)
            return
        (whole,) = parser.items(stream, "", use_float=True, map_type=_Object)
    columns = list(whole.values()) if isinstance(whole, dict) else []
    sizes = {len(column) if isinstance(column, list) else -1 for column in columns}
    if len(sizes) == 1 and max(sizes) > 1 and not _repeated_key(whole):
        for number, values in enumerate(zip(*columns, strict=True), start=1):
            yield _object_row(number, dict(zip(whole, values, strict=True)))
    else:
        yield _object_row(1, whole)


def _json(path: Path, split: str) -> Iterator[FileRow]:
    """Rows of a .json or .jsonl file: an array, JSON lines, or an object that holds rows."""
    with _opened(path) as stream:
        head = stream.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"[":
        if not _is_array(path, head):
            return _lines(path, split)
        return _items(path, "item", "JSON array", _parser(path))
    first, newline, rest = head.partition(b"\n")
    if suffix_of(path) != ".json" or (newline and rest.strip() and _is_json(first)):
        return _lines(path, split)
    return _object(path, split) if head[:1] == b"{" else _lines(path, split)


def _is_array(path: Path, head: bytes) -> bool:
    """Whether a file that begins with a bracket is an array of rows, and not lines that hold lists."""
    try:
        first = json.loads(head.partition(b"\n")[0])
    except ValueError:
        return True
    except RecursionError:
        if suffix_of(path) != ".json":
            return False
        raise MedctxError(f"The file {path} is nested too deeply; give a list of rows.") from None
    return suffix_of(path) == ".json" or all(isinstance(row, dict) for row in first)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True


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


def _csv(path: Path, split: str) -> Iterator[FileRow]:
    csv.field_size_limit(_LONGEST_CELL)
    head = _head(path).decode("utf-8-sig", errors="ignore")
    with _opened(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        # strict: a quotation mark that is never closed would swallow the rest of the file.
        rows = csv.reader(text, delimiter=_delimiter(head, path), strict=True)
        try:
            names = [name.strip() for name in next(rows, [])]
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
                    yield FileRow(number, {}, problem, ",".join(row)[:_SHOWN])
        except csv.Error as error:
            raise MedctxError(
                f"The file {path} is not a table from line {rows.line_num} on ({error}); close the quotation mark or "
                "double it."
            ) from None


def _require_different(path: Path, names: Sequence[str], remedy: str = "") -> None:
    repeated = next((name for name in names if names.count(name) > 1), "")
    if repeated:
        raise MedctxError(f"The file {path} names the column {repeated!r} twice; rename or remove one{remedy}.")


def _numbered(path: Path, batches: Iterator[pyarrow.RecordBatch]) -> Iterator[FileRow]:
    for number, row in enumerate(itertools.chain.from_iterable(batch.to_pylist() for batch in batches), start=1):
        yield FileRow(number, row)


def _parquet(path: Path, split: str) -> Iterator[FileRow]:
    _arrow(path)
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            _require_different(path, file.schema_arrow.names)
            yield from _numbered(path, file.iter_batches(batch_size=_BATCH))
    except pyarrow.ArrowException as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise MedctxError(f"The file {path} is not a complete Parquet file ({why}); fetch it again.") from None


def _arrow_file(path: Path, split: str) -> Iterator[FileRow]:
    """Rows of an Arrow stream, which ``save_to_disk`` writes, or of an Arrow file."""
    _arrow(path)
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
    "JSON lines": _json,
    "JSON": _json,
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
    with _opened(path) as stream:
        if stream.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            raise MedctxError(f"The file {path} is not UTF-8; {_converted(path)}.")


def rows(path: Path, split: str = "train") -> Iterator[FileRow]:
    """Yield the rows of a file in their order, read as they are needed; blank lines are no rows.

    Args:
        path: The file.
        split: The key whose rows are read where a JSON file holds several lists of rows by name.

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
        yield from READERS[kind](path, split)
    except RecursionError:
        raise MedctxError(f"The file {path} is nested too deeply; give a list of rows.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise MedctxError(f"The file {path} cannot be read ({error}); fetch or pack it again.") from None
    except UnicodeDecodeError as error:
        raise MedctxError(f"The file {path} is not UTF-8 (byte {error.start}); {_converted(path)}.") from None
