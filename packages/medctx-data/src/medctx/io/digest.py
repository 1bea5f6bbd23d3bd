"""Names for contents: SHA-256 over canonical JSON, files and folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

SHORT = 12


def of_text(text: str) -> str:
    """Hex digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_value(value: object) -> str:
    """Hex digest of a JSON-able value, independent of key order."""
    return of_text(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def of_record(record: BaseModel) -> str:
    """Hex digest of one record."""
    return of_value(record.model_dump(mode="json"))


class RecordsDigest:
    """:func:`of_records` of records that go by one at a time."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, record: BaseModel) -> str:
        """Take the next record in; returns its own digest."""
        own = of_record(record)
        self.add_digest(own)
        return own

    def add_digest(self, own: str) -> None:
        """Take the next record in by its own digest, found elsewhere."""
        self._digest.update(own.encode())

    def hex(self) -> str:
        """The digest of the records so far."""
        return self._digest.hexdigest()


def of_records(records: Iterable[BaseModel]) -> str:
    """Hex digest of records in their order."""
    total = RecordsDigest()
    for record in records:
        total.add(record)
    return total.hex()


def of_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_folder(folder: Path, pattern: str = "*") -> str:
    """Hex digest of the files of a folder that match ``pattern``: their names and bytes, sorted by name."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return of_value([[path.relative_to(folder).as_posix(), of_file(path)] for path in files])


def of_weights(folder: Path) -> str:
    """Hex digest of the weight files of a checkpoint or an adapter."""
    return of_folder(folder, "*.safetensors")
