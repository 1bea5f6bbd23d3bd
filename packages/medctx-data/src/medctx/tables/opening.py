"""Opens files of rows: format by suffix, packing and encoding; and the record of one row."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from medctx.errors import MedctxError

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
_ENCODINGS = ("cp1252", "cp1250", "cp1251", "gb18030", "big5", "shift_jis", "euc_kr", "cp1256")
"""Encodings that files come in beside UTF-8 and UTF-16."""
SHOWN = 500
"""Characters that are quoted of a row that cannot be read."""
HEAD = 2**16
"""Bytes at the beginning of a file from which its form is found."""


class FileRow(NamedTuple):
    """One row of a file.

    Attributes:
        number: Its line in the file, from 1; its number where the format has no lines.
        columns: Its columns, empty where they could not be read.
        problem: Why they could not be read, as a clause that continues "the row ..."; ``""`` where they were.
        text: The row as it occurs in the file where it could not be read.
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


def require_pyarrow(path: Path) -> None:
    """Check that pyarrow is installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MedctxError(
            f"Reading {path} needs the package pyarrow, which is not installed; run: pip install pyarrow."
        ) from None


@contextmanager
def open_unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading its bytes as they were before it was packed."""
    if path.suffix.lower() == ".zst":
        require_pyarrow(path)
        import pyarrow

        # The package zstandard ends a truncated file without an error.
        with pyarrow.OSFile(str(path)) as packed, pyarrow.CompressedInputStream(packed, "zstd") as unpacked:
            yield io.BufferedReader(unpacked, HEAD)
        return
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as stream:
        yield cast(BinaryIO, stream)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with open_unpacked(path) as stream:
        return stream.read(HEAD)


@lru_cache(maxsize=64)
def encoding_of(path: Path) -> str:
    """Return the likely encoding of a file that is not UTF-8, ``""`` where nothing suggests one."""
    head = head_of(path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return ""
    best = from_bytes(head, cp_isolation=list(_ENCODINGS)).best()
    if best is None:
        return ""
    # The western code page is the likelier one where it gives the same text.
    return "cp1252" if _decoded(head, "cp1252") == _decoded(head, best.encoding) else best.encoding


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def conversion(path: Path) -> str:
    """Return what to do about a file that is not UTF-8, as a clause."""
    encoding = encoding_of(path)
    remedy = f"the file looks like {encoding}, so convert it: iconv -f {encoding} -t utf-8" if encoding else ""
    return remedy or "save the file as UTF-8"
