"""Digests of contents: SHA-256 of canonical JSON, files and folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

SHORT = 12


def of_text(text: str) -> str:
    """Return the hex digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_value(value: object) -> str:
    """Return the hex digest of a JSON value, independent of key order."""
    return of_text(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def of_record(record: BaseModel) -> str:
    """Return the hex digest of one record."""
    return of_value(record.model_dump(mode="json"))


class RecordsDigest:
    """``of_records`` of records that are added one at a time."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, record: BaseModel) -> str:
        """Add the next record and return its digest."""
        record_digest = of_record(record)
        self.add_digest(record_digest)
        return record_digest

    def add_digest(self, record_digest: str) -> None:
        """Add the next record by its digest, computed elsewhere."""
        self._digest.update(record_digest.encode())

    def hex(self) -> str:
        """Return the digest of the records so far."""
        return self._digest.hexdigest()


def of_records(records: Iterable[BaseModel]) -> str:
    """Return the hex digest of records in their order."""
    total = RecordsDigest()
    for record in records:
        total.add(record)
    return total.hex()


def of_file(path: Path) -> str:
    """Return the hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_folder(folder: Path, pattern: str = "*") -> str:
    """Return the hex digest of the files of a folder that match ``pattern``: names and bytes, sorted by name."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return of_value([[path.relative_to(folder).as_posix(), of_file(path)] for path in files])
