"""Rows of JSON files, read as a stream: lines, an array, or an object that holds rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import ijson

from medctx.errors import MedctxError
from medctx.io.jsonl import JsonProblemError, parse_json
from medctx.process.progress import say
from medctx.tables.folders import ALL, canonical_split, split_of
from medctx.tables.opening import HEAD, SHOWN, FileRow, conversion, open_unpacked, suffix_of

_PIECE = 2**20
_LONGEST_MARK = 24
_UNREAD_BY_C = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
    rb"|(?<![0-9.])[0-9]{19}"
)
"""Half of a surrogate pair, which the C parser of ijson makes a question mark, or an integer that it may refuse."""


def _line(path: Path, number: int, line: bytes) -> FileRow:
    content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    shown = content.strip()[:SHOWN].decode(errors="replace")
    try:
        row = parse_json(content)
    except JsonProblemError as error:
        problem = str(error)
        return FileRow(number, {}, f"{problem}; {conversion(path)}" if "is not UTF-8" in problem else problem, shown)
    if isinstance(row, list) and row and all(_is_message(part) for part in row):
        return FileRow(number, {"messages": row})
    if not isinstance(row, dict):
        return FileRow(number, {}, f"holds a {type(row).__name__}, not an object", shown)
    return FileRow(number, row)


def _is_message(value: object) -> bool:
    """Whether a part of a list that stands for a row is a message, and not a row itself."""
    return isinstance(value, dict) and len(value) >= 2 and not {"role", "from"}.isdisjoint(value)


class _Object(dict[str, object]):
    """An object of a JSON array that remembers a repeated key."""

    repeated = ""

    def __setitem__(self, key: str, value: object) -> None:
        if key in self:
            self.repeated = key
        super().__setitem__(key, value)


def _repeated_key(value: object) -> str:
    """Return a key that occurs twice in an object or in a nested one, ``""`` if none does."""
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
            return FileRow(number, {}, f"has the key {repeated!r} twice", str(row)[:SHOWN])
        if half := _half_character(row):
            return FileRow(number, {}, f"holds {half}, half of a surrogate pair and no character", str(row)[:SHOWN])
        if isinstance(row, dict):
            return FileRow(number, row)
        return FileRow(number, {}, f"holds a {type(row).__name__}, not an object", str(row)[:SHOWN])
    except RecursionError:
        return FileRow(number, {}, "is nested too deeply")


def _needs_python(path: Path) -> bool:
    """Whether a JSON file may hold what only the slower parser in Python reads as it stands."""
    data = b""
    with open_unpacked(path) as stream:
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


def _lines(path: Path) -> Iterator[FileRow]:
    with open_unpacked(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _line(path, number, line)


def _items(path: Path, prefix: str, what: str, parser: ModuleType) -> Iterator[FileRow]:
    with open_unpacked(path) as stream:
        try:
            for number, row in enumerate(parser.items(stream, prefix, use_float=True, map_type=_Object), start=1):
                yield _object_row(number, row)
        except ijson.JSONError as error:
            why = str(error).partition("\n")[0]
            remedy = conversion(path) if "UTF8" in why else "fetch or mend it"
            raise MedctxError(f"The file {path} is not a complete {what} ({why}); {remedy}.") from None


WRAPPERS = ("data", "dataset", "rows", "examples", "records", "items", "questions")
"""Keys of objects around rows, beside those of splits."""


class _Keys(NamedTuple):
    """The keys of a JSON object by what they hold."""

    lists: list[str]
    objects: list[str]
    others: list[str]


def _keys_of(path: Path, parser: ModuleType, place: str) -> _Keys:
    """The keys of the object at a place, ``""`` for the whole file."""
    keys, key, awaited = _Keys([], [], []), "", ""
    with open_unpacked(path) as stream:
        try:
            for prefix, event, value in parser.parse(stream, use_float=True):
                if awaited == "value" and event == "start_array":
                    awaited = "item"
                elif awaited:
                    kind = keys.lists if awaited == "item" else keys.objects
                    (kind if event == "start_map" else keys.others).append(key)
                    awaited = ""
                elif prefix == place and event == "map_key":
                    key, awaited = value, "value"
        except ijson.JSONError as error:
            why = str(error).partition("\n")[0]
            raise MedctxError(f"The file {path} is not a complete JSON object ({why}); fetch or mend it.") from None
    return keys


@lru_cache(maxsize=256)
def _say_once(text: str) -> None:
    say(text)


def _chosen(path: Path, names: Sequence[str], splits: Sequence[str]) -> list[str]:
    """Of the keys that hold rows, those to read: of the first split that there is, else the one that names no split.

    Raises:
        MedctxError: Several keys hold rows, or the only one is another split.
    """
    if ALL in splits:
        return list(names)
    for split in splits:
        same = [name for name in names if name == split]
        same = same or [name for name in names if split_of(name) == canonical_split(split)]
        if len(same) == 1:
            return same
    plain = [name for name in names if not split_of(name)]
    if len(plain) == 1 or "data" in plain:
        return plain if len(plain) == 1 else ["data"]
    if len(names) == 1:
        raise MedctxError(f"The file {path} holds no split {splits[0]!r} but {names[0]}; name one with the key split.")
    listed = ", ".join(names)
    raise MedctxError(
        f"The file {path} holds several lists of rows ({listed}); name one with the key split, or give its rows in a "
        "file of their own."
    )


def _named_rows(path: Path, keys: _Keys, splits: Sequence[str]) -> list[str]:
    """The keys to read of an object around rows, none where the object holds its rows itself."""
    if keys.lists:
        return _chosen(path, keys.lists, splits)
    wrappers = [key for key in keys.objects if key.lower() in WRAPPERS or split_of(key)]
    if not wrappers or (len(wrappers) < len(keys.objects) and not keys.others):
        return []  # rows by id, one of which has such a name
    return _chosen(path, wrappers, splits)


def _object(path: Path, splits: Sequence[str], parser: ModuleType, place: str = "") -> Iterator[FileRow]:
    """Rows of a JSON object: the list in it, those of a split, its values by id, its columns, or itself."""
    keys = _keys_of(path, parser, place)
    chosen = _named_rows(path, keys, splits)
    if chosen:
        others = [key for key in (*keys.lists, *keys.objects, *keys.others) if key not in chosen]
        if others:
            _say_once(f"{path} is read from its key {', '.join(map(repr, chosen))}; not from {', '.join(others)}.")
        for key in chosen:
            inner = f"{place}.{key}" if place else key
            if key in keys.lists:
                yield from _items(path, f"{inner}.item", "JSON object", parser)
            else:
                yield from _object(path, splits, parser, inner)
        return
    with open_unpacked(path) as stream:
        if keys.objects and not keys.others:
            pairs = parser.kvitems(stream, place, use_float=True, map_type=_Object)
            for number, (key, row) in enumerate(pairs, start=1):
                if isinstance(row, dict):
                    row.setdefault("id", key)
                yield _object_row(number, row)
            return
        (whole,) = parser.items(stream, place, use_float=True, map_type=_Object)
    columns = list(whole.values()) if isinstance(whole, dict) else []
    sizes = {len(column) if isinstance(column, list) else -1 for column in columns}
    if len(sizes) == 1 and max(sizes) > 1 and not _repeated_key(whole):
        for number, values in enumerate(zip(*columns, strict=True), start=1):
            yield _object_row(number, dict(zip(whole, values, strict=True)))
    else:
        yield _object_row(1, whole)


def json_rows(path: Path, splits: Sequence[str]) -> Iterator[FileRow]:
    """Rows of a .json or .jsonl file: an array, JSON lines, or an object that holds rows."""
    with open_unpacked(path) as stream:
        head = stream.read(HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"[":
        if not _is_array(path, head):
            return _lines(path)
        return _items(path, "item", "JSON array", _parser(path))
    first, newline, rest = head.partition(b"\n")
    if suffix_of(path) != ".json" or (newline and rest.strip() and _is_json(first)):
        return _lines(path)
    return _object(path, splits, _parser(path)) if head[:1] == b"{" else _lines(path)


def _is_array(path: Path, head: bytes) -> bool:
    """Whether a file that begins with a bracket is an array of rows, and not lines that hold lists."""
    try:
        first = json.loads(head.partition(b"\n")[0])
        following = head.partition(b"\n")[2].strip()[:1]
    except ValueError:
        return True
    except RecursionError:
        if suffix_of(path) != ".json":
            return False
        raise MedctxError(f"The file {path} is nested too deeply; give a list of rows.") from None
    if suffix_of(path) == ".json" and not following:
        return True
    return all(isinstance(row, dict) for row in first) and not (following or all(map(_is_message, first)))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True
