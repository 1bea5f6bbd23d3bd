"""A small exam of one's own, as a file of questions with two options and a short text each."""

from __future__ import annotations

import json
from pathlib import Path

ROWS = 12
"""Questions of the file."""


def write_exam(file: Path, rows: int = ROWS) -> Path:
    """``rows`` questions, every second of which is answered by B."""
    items = [
        {
            "id": f"i{n}",
            "question": f"Question {n}?",
            "options": {"A": "yes", "B": "no"},
            "answer": "AB"[n % 2],
            "context": f"Text of question {n}. " * 3,
        }
        for n in range(rows)
    ]
    file.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return file
