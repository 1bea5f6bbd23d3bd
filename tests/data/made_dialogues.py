"""Dialogues of known length, and their lengths without a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

from medctx.records import Dialogue, Domain, Turn

Rows = Sequence[dict[str, str]]


def words(dialogues: Sequence[Dialogue]) -> list[int]:
    """Lengths in words: a Counter without a tokenizer."""
    return [sum(len(turn.content.split()) for turn in dialogue.turns) for dialogue in dialogues]


def dialogue(name: str, domain: Domain, length: int) -> Dialogue:
    """A Dialogue of ``length`` words, at least two."""
    answer = " ".join(["word"] * (length - 1))
    turns = (Turn(role="user", content=name), Turn(role="assistant", content=answer))
    return Dialogue(id=name, domain=domain, source="test", turns=turns, licence="MIT")
