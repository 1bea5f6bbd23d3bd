"""The rows of a source by number: in memory where they are few, else in shards on disk."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.io.cache import cache_folder
from medctx.io.checked_lines import ChecksumError, unseal
from medctx.io.jsonl import read_record, read_records, write_record, write_records
from medctx.process.progress import say
from medctx.schemas.records import Dialogue, Record
from medctx_data.sources.card import Row, RowNote, SkippedRow

SHARD = 20_000
"""Rows of a shard. A source with fewer rows is held in memory."""

INDEX = "index.json"
_BLOCK = 2**22
_SAY_EVERY_S = 15.0

Columns = dict[str, NDArray[np.generic]]
"""Measurements of rows: arrays by name, with one row per Dialogue."""


class Rows(Protocol):
    """Dialogues by number, from 0."""

    @property
    def shards(self) -> int:
        """Number of shards."""

    def __len__(self) -> int: ...

    def shard(self, number: int) -> Sequence[Dialogue]:
        """Return all rows of one shard."""

    def take(self, numbers: Sequence[int]) -> list[Dialogue]:
        """Return the rows with these numbers, in the order given."""


class MemoryRows:
    """Rows in memory: one shard."""

    shards = 1

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        self._dialogues = dialogues

    def __len__(self) -> int:
        return len(self._dialogues)

    def shard(self, number: int) -> Sequence[Dialogue]:
        """Return all rows."""
        return self._dialogues

    def take(self, numbers: Sequence[int]) -> list[Dialogue]:
        """Return the rows with these numbers."""
        return [self._dialogues[number] for number in numbers]


class _Index(Record):
    sizes: tuple[int, ...]
    skipped: tuple[SkippedRow, ...]
    notes: dict[str, int]


def shard_file(folder: Path, number: int) -> Path:
    """Return the file of a shard of a stored source."""
    return folder / f"rows-{number:05d}.jsonl"


class _Lines:
    """The lines of a file by number. Only the offsets of line ends stay in memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        ends, place = [], 0
        while block := self._file.read(_BLOCK):
            ends.append(np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + place + 1)
            place += len(block)
        self._edges = np.concatenate([[0], *ends])

    def __getitem__(self, number: int) -> bytes:
        begin, end = int(self._edges[number]), int(self._edges[number + 1])
        return os.pread(self._file.fileno(), end - begin, begin)


@lru_cache(maxsize=512)
def _lines(path: Path) -> _Lines:
    return _Lines(path)


def _dialogue(path: Path, line: bytes) -> Dialogue:
    try:
        return Dialogue.model_validate_json(unseal(line.rstrip(b"\n")))
    except ChecksumError as error:
        raise MedctxError(f"A row in {path} {error}; remove that folder, so that the source is read again.") from None


class ShardedRows:
    """Rows in shards on disk; only rows that are taken are read."""

    def __init__(self, folder: Path, sizes: Sequence[int]) -> None:
        self.folder = folder
        self._sizes = tuple(sizes)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self._sizes)

    @cached_property
    def _starts(self) -> list[int]:
        return np.concatenate([[0], np.cumsum(self._sizes)]).tolist()  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return sum(self._sizes)

    def shard(self, number: int) -> list[Dialogue]:
        """Return all rows of one shard."""
        return list(read_records(shard_file(self.folder, number), Dialogue))

    def take(self, numbers: Sequence[int]) -> list[Dialogue]:
        """Return the rows with these numbers, in the order given."""
        dialogues = []
        for number, shard in zip(numbers, np.searchsorted(self._starts, numbers, side="right") - 1, strict=True):
            path = shard_file(self.folder, int(shard))
            dialogues.append(_dialogue(path, _lines(path)[number - self._starts[shard]]))
        return dialogues


class _TemporaryRows(ShardedRows):
    """Rows in a folder that is removed with them."""

    def __init__(self, folder: TemporaryDirectory[str], sizes: Sequence[int]) -> None:
        super().__init__(Path(folder.name), sizes)
        self._temporary = folder

    def __reduce__(self) -> tuple[type[ShardedRows], tuple[Path, tuple[int, ...]]]:
        # Another process reads the rows; this one removes them.
        return ShardedRows, (self.folder, self._sizes)


class Spool:
    """Collects rows as they are drawn: few stay in memory, more than a shard go to a temporary folder in the cache."""

    def __init__(self) -> None:
        self._waiting: list[Dialogue] = []
        self._sizes: list[int] = []
        self._folder: TemporaryDirectory[str] | None = None

    def add(self, dialogue: Dialogue) -> int:
        """Add a row and return its number."""
        if len(self._waiting) == SHARD:
            self._store()
        self._waiting.append(dialogue)
        return sum(self._sizes) + len(self._waiting) - 1

    def _store(self) -> TemporaryDirectory[str]:
        if self._folder is None:
            cache_folder().mkdir(parents=True, exist_ok=True)
            self._folder = TemporaryDirectory(dir=cache_folder(), prefix="drawn-")
        write_records(shard_file(Path(self._folder.name), len(self._sizes)), self._waiting, checked=True)
        self._sizes.append(len(self._waiting))
        self._waiting = []
        return self._folder

    def rows(self) -> Rows:
        """Return all rows; none may be added afterwards."""
        return _TemporaryRows(self._store(), self._sizes) if self._sizes else MemoryRows(self._waiting)


class Gathered(NamedTuple):
    """The rows of a source.

    Attributes:
        rows: Those that gave a Dialogue.
        skipped: Those that gave none.
        notes: What was not read of rows or was cut, with the number of rows.
    """

    rows: Rows
    skipped: tuple[SkippedRow, ...]
    notes: Mapping[str, int] = MappingProxyType({})


def _watched(rows: Iterator[Row], label: str) -> Iterator[Row]:
    """Yield the rows and log their number from time to time: the total is not known."""
    begun = last = time.monotonic()
    for number, row in enumerate(rows):
        now = time.monotonic()
        if now - last >= _SAY_EVERY_S:
            last = now
            say(f"reading {label}: {number:,} rows, {number / (now - begun):,.0f} rows/s")
        yield row


def _dialogues(rows: Iterator[Row], skipped: list[SkippedRow], notes: Counter[str]) -> Iterator[Dialogue]:
    for row in rows:
        if isinstance(row, SkippedRow):
            skipped.append(row)
        elif isinstance(row, RowNote):
            notes[row.text] += 1
        else:
            yield row


def is_gathered(folder: Path) -> bool:
    """Return whether a large source was read to its end before."""
    return (folder / INDEX).is_file()


def gather(read: Callable[[], Iterator[Row]], label: str, folder: Path, *, keep: bool = False) -> Gathered:
    """Read a source once and keep its rows.

    Args:
        read: Streams the rows, from the first one at every call.
        label: Label of the source.
        folder: Folder of this source alone, for its shards if it is large.
        keep: Whether to write shards even if the source is small.

    Returns:
        The rows, from ``folder`` if an earlier call has read the source to its end. A kill loses the shard that is
        being written; whole shards are not written again.
    """
    if is_gathered(folder):
        index = read_record(folder / INDEX, _Index)
        return Gathered(ShardedRows(folder, index.sizes), index.skipped, index.notes)
    skipped: list[SkippedRow] = []
    notes: Counter[str] = Counter()
    stream = _dialogues(_watched(read(), label), skipped, notes)
    batch = list(islice(stream, SHARD))
    if len(batch) < SHARD and not (keep and batch):
        return Gathered(MemoryRows(batch), tuple(skipped), dict(notes))
    sizes: list[int] = []
    while batch:
        path = shard_file(folder, len(sizes))
        if not path.is_file():
            write_records(path, batch, checked=True)
        sizes.append(len(batch))
        batch = list(islice(stream, SHARD))
    write_record(folder / INDEX, _Index(sizes=tuple(sizes), skipped=tuple(skipped), notes=dict(notes)))
    return Gathered(ShardedRows(folder, sizes), tuple(skipped), dict(notes))
