"""Reads JSON that other programs wrote, with errors that name the place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from medctx.errors import MedctxError


def parse_object(text: str | bytes, place: str) -> dict[str, object]:
    """Return a JSON object; raises MedctxError that names ``place`` if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MedctxError(f"{place} is not JSON ({str(error)[:120]}); give the file as the harness wrote it.") from None
    if not isinstance(value, dict):
        raise MedctxError(f"{place} is not a JSON object; give the file as the harness wrote it.")
    return value


def read_object(path: Path) -> dict[str, object]:
    """Return the JSON object of a file."""
    return parse_object(path.read_bytes(), str(path))


def read_objects(path: Path) -> Iterator[dict[str, object]]:
    """Yield the JSON objects of a file of JSON lines."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield parse_object(line, f"{path}:{number}")


def mapping(value: object) -> dict[str, object]:
    """Return a value that should be an object; an empty one if it is none."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[object]:
    """Return a value that should be a list; an empty one if it is none."""
    return value if isinstance(value, list) else []
