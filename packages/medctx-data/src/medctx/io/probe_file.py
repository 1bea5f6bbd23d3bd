"""Probe files: JSON lines of :class:`ProbeItem` records."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_records
from medctx.schemas.probe_item import ProbeItem


def read_probe(path: Path) -> list[ProbeItem]:
    """Read the items of a probe file, which must hold at least one."""
    items = list(read_records(path, ProbeItem))
    if not items:
        raise MedctxError(f"The probe file {path} holds no items; write one with medctx-eval exams probe.")
    return items


def probe_digest(items: Iterable[ProbeItem]) -> str:
    """Return the digest of a probe's items in their order."""
    return digest.of_value([item.model_dump(mode="json") for item in items])
