"""An append-only file of records that survives a kill at any moment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Generic, Self

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io.jsonl import RecordT


class Journal(Generic[RecordT]):
    """Appends one record a line, flushed to the disk before :meth:`append`, :meth:`extend` or :meth:`sync` returns.

    A line torn by a kill can only be the last one: it is cut off when the journal is opened again.
    """

    def __init__(self, path: Path, kind: type[RecordT]) -> None:
        self.path = path
        self._kind = kind
        path.parent.mkdir(parents=True, exist_ok=True)
        self.records: list[RecordT] = self._recover()
        self._stream = path.open("ab")

    def _recover(self) -> list[RecordT]:
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) != len(content):
            with self.path.open("r+b") as stream:
                stream.truncate(len(whole))
        records = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                records.append(self._kind.model_validate_json(line))
            except ValidationError:
                raise MedctxError(
                    f"{self.path}:{number} is no {self._kind.__name__}; the journal was changed by something else, "
                    "move it away to begin anew."
                ) from None
        return records

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
        self._stream.write(record.model_dump_json().encode() + b"\n")
        self._stream.flush()
        self.records.append(record)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._stream.fileno())

    def rewind(self, count: int) -> None:
        """Keep the first ``count`` records and drop the rest, on disk too."""
        if count >= len(self.records):
            return
        kept = sum(len(line) for line in self.path.read_bytes().splitlines(keepends=True)[:count])
        self._stream.truncate(kept)
        self._stream.seek(0, os.SEEK_END)
        del self.records[count:]

    def close(self) -> None:
        """Close the file; appending afterwards is an error."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
