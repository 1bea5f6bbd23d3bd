"""Which rows of a file are used: empty ones and exact duplicates are left out, counted by reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from medctx.records import Dialogue

EMPTY_INSTRUCTION = "empty_instruction"
EMPTY_OUTPUT = "empty_output"
DUPLICATE = "duplicate"
TOO_LONG = "too_long"


def reason_to_drop(dialogue: Dialogue) -> str:
    """Why a Dialogue cannot teach anything: one of its turns says nothing. Empty: it can."""
    empty = {turn.role for turn in dialogue.turns if not turn.content.strip()}
    if "assistant" in empty:
        return EMPTY_OUTPUT
    return EMPTY_INSTRUCTION if "user" in empty else ""


def _fingerprint(dialogue: Dialogue) -> bytes:
    """16 bytes for the text: a million rows are remembered in about 100 MB, their texts would take a gigabyte."""
    text = "\x1e".join(f"{turn.role}\x1f{turn.content}" for turn in dialogue.turns)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def clean(dialogues: Iterable[Dialogue]) -> tuple[tuple[Dialogue, ...], dict[str, int]]:
    """The usable Dialogues in their order, the first of equal ones kept, and how many were dropped by reason."""
    kept: list[Dialogue] = []
    dropped: Counter[str] = Counter()
    seen: set[bytes] = set()
    for dialogue in dialogues:
        reason = reason_to_drop(dialogue)
        if not reason:
            mark = _fingerprint(dialogue)
            if mark in seen:
                reason = DUPLICATE
            seen.add(mark)
        if reason:
            dropped[reason] += 1
        else:
            kept.append(dialogue)
    return tuple(kept), dict(sorted(dropped.items()))
