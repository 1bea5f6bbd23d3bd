"""Values of cells: lists and objects that a cell holds as text, columns inside objects, and texts."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping

Columns = Mapping[str, object]
"""A row: its values by column."""


_QUOTED = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_PRINTED_ARRAY = re.compile(rf"\[\s*{_QUOTED}(?:\s+{_QUOTED})+\s*\]")
"""Texts in brackets without commas, as numpy prints an array: Python would join them."""


def parsed(value: object) -> object:
    """Return what a text stands for if it is a JSON or Python list or object, else the value itself."""
    if not isinstance(value, str) or value.strip()[:1] not in {"[", "{"}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    if _PRINTED_ARRAY.fullmatch(value.strip()):
        return [ast.literal_eval(text) for text in re.findall(_QUOTED, value)]
    try:
        literal: object = ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return literal if isinstance(literal, list | dict) else value


def at(row: Columns, name: str) -> object:
    """Return the value of a column, None if there is none; a dotted name reaches into an object."""
    if name in row:
        return row[name]
    value: object = row
    for part in name.split("."):
        value = parsed(value) if not isinstance(value, Mapping) else value
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def listed(value: object) -> list[object]:
    """Return a list as it is, any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def cell_text(value: object) -> str:
    """Return the text of a value, lists joined by lines; ``""`` for truth values and None."""
    if isinstance(value, list):
        return "\n".join(cell_text(part) for part in value)
    if isinstance(value, bool) or value is None:
        return ""
    return str(value).strip()
