"""Cells that hold lists or objects as text, as CSV files do."""

from __future__ import annotations

import ast
import json


def parsed(value: object) -> object:
    """Return what a text stands for if it is a JSON or Python list or object, else the value itself."""
    if not isinstance(value, str) or value.strip()[:1] not in {"[", "{"}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        literal: object = ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return literal if isinstance(literal, list | dict) else value
