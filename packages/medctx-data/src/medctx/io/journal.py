"""An append-only file of records that survives a kill at any moment, notices changes, and may have several writers."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, overload

from medctx.errors import MedctxError
from medctx.io.atomic import naming
from medctx.io.checked_lines import ChecksumError, seal, unseal
from medctx.io.jsonl import RecordT, parse_record

try:
    import fcntl
except ImportError:  # no advisory locks on this system
    fcntl = None  # type: ignore[assignment]


class JournalRecords(Sequence[RecordT]):
    """The records of a journal, read from the file when they are needed: only the places of lines are in memory."""

    def __init__(self, path: Path, kind: type[RecordT]) -> None:
        self._path, self._kind = path, kind
        self._begins, self._ends = array("Q"), array("Q")
        self._stream: FileIO | None = None

    def __len__(self) -> int:
        return len(self._begins)

    @overload
    def __getitem__(self, index: int) -> RecordT: ...
    @overload
    def __getitem__(self, index: slice) -> list[RecordT]: ...
    def __getitem__(self, index: int | slice) -> RecordT | list[RecordT]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        if self._stream is None:
            # Without a buffer, which would hold the torn end of the file after it was replaced.
            self._stream = self._path.open("rb", buffering=0)
        self._stream.seek(self._begins[number])
        return _parsed(self._path, number + 1, self._stream.read(self._ends[number] - self._begins[number]), self._kind)

    def __iter__(self) -> Iterator[RecordT]:
        return (self[number] for number in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(lambda a, b: a == b, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _add(self, begin: int, end: int) -> None:
        self._begins.append(begin)
        self._ends.append(end)

    def _truncate(self, count: int) -> None:
        del self._begins[count:], self._ends[count:]

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _verified(path: Path, number: int, line: bytes) -> bytes:
    try:
        return unseal(line)
    except ChecksumError as error:
        raise MedctxError(f"{path}:{number} {error}; restore the file, or move it away to start without it.") from None


def _parsed(path: Path, number: int, line: bytes, kind: type[RecordT]) -> RecordT:
    return parse_record(kind, _verified(path, number, line), path, number)


def _whole_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (begin, end, line) of every whole line; a torn last line, left by a kill, is no line.

    Raises:
        MedctxError: A last line without its line break is whole apart from that: it was changed, not torn.
    """
    begin = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.endswith(b"\n"):
                yield begin, begin + len(line) - 1, line[:-1]
            else:
                with suppress(ChecksumError):
                    unseal(line[:-1])
                    _verified(path, number, line)
                with suppress(ChecksumError):
                    unseal(line)
                    yield begin, begin + len(line), line
            begin += len(line)


def read_journal(path: Path, kind: type[RecordT]) -> Iterator[RecordT]:
    """Yield the records of a journal without opening it for writing, also while another process appends to it."""
    for number, (_, _, line) in enumerate(_whole_lines(path), start=1):
        yield _parsed(path, number, line, kind)


class Journal(Generic[RecordT]):
    """Appends one record a line, synced to disk before ``append``, ``extend`` or ``sync`` returns.

    Every line has a checksum, verified when the journal is opened and when a record is read. A line torn by a kill can
    only be the last one; it is removed before the next record is written, never while another process writes.

    Attributes:
        path: The file.
        records: The records so far, apart from those that other processes append meanwhile.
    """

    def __init__(self, path: Path, kind: type[RecordT]) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.records: JournalRecords[RecordT] = JournalRecords(path, kind)
        if path.exists():
            for number, (begin, end, line) in enumerate(_whole_lines(path), start=1):
                _verified(path, number, line)
                self.records._add(begin, end)
        self._stream = path.open("a+b", buffering=0)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers away; where the file system has no locks, a journal has one writer."""
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(self._stream.fileno(), fcntl.LOCK_EX)
        try:
            yield
        finally:
            if fcntl is not None:
                with suppress(OSError):
                    fcntl.flock(self._stream.fileno(), fcntl.LOCK_UN)

    def _mend_end(self) -> int:
        """Complete or remove a last line without a line break; return the size of the file."""
        file = self._stream.fileno()
        size = os.fstat(file).st_size
        if not size or os.pread(file, 1, size - 1) == b"\n":
            return size
        content, begin = b"", size
        while begin and b"\n" not in content:
            step = min(begin, 65_536)
            begin -= step
            content = os.pread(file, step, begin) + content
        torn = content.rpartition(b"\n")[2]
        try:
            unseal(torn)
        except ChecksumError:
            self._stream.truncate(size - len(torn))
            return size - len(torn)
        self._stream.write(b"\n")
        return size + 1

    def append(self, record: RecordT) -> None:
        """Write one record and wait until it is on the disk."""
        self.extend([record])

    def extend(self, records: Sequence[RecordT]) -> None:
        """Write several records and wait once until all are on the disk."""
        for record in records:
            self.add(record)
        self.sync()

    def add(self, record: RecordT) -> None:
        """Hand one record to the operating system: a kill of this process does not lose it, a power cut may."""
        line = seal(record.model_dump_json().encode()) + b"\n"
        with naming(self.path), self._locked():
            begin = self._mend_end()
            written = self._stream.write(line)
            while written < len(line):
                written += self._stream.write(line[written:])
        self.records._add(begin, begin + len(line) - 1)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        with naming(self.path):
            os.fsync(self._stream.fileno())

    def rewind(self, count: int) -> None:
        """Keep the first ``count`` records and drop the rest, on disk too."""
        if count >= len(self.records):
            return
        with self._locked():
            self._stream.truncate(self.records._begins[count])
        self.records._truncate(count)

    def close(self) -> None:
        """Close the file; appending afterwards is an error."""
        self.records._close()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
