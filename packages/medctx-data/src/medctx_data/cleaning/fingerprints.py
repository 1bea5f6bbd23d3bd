"""What cleaning has to know of a row: why it is left out by itself, a fingerprint, the keys of its MinHash bands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medctx.schemas.records import Dialogue
from medctx_data.row_store.features import Columns
from medctx_data.text import minhash
from medctx_data.text.ngrams import VERSION, Groups, Units
from medctx_data.text.script import is_written_in
from medctx_data.text.segments import Numbers

EMPTY = "empty"
LANGUAGE = "language"
REASONS = ("", EMPTY, LANGUAGE)
"""Why a row is left out by itself; the column ``reason`` holds places in this list."""

MOST_AT_ONCE = 1_000
MOST_CHARACTERS = 1_000_000
"""So many Dialogues, and no more characters than that, are laid out as units at the same time."""


def text_of(dialogue: Dialogue) -> str:
    """The text by which Dialogues are compared: every turn in lines of its own."""
    return "\n".join(turn.content for turn in dialogue.turns)


def _fingerprint(dialogue: Dialogue) -> bytes:
    """16 bytes for the text and who says it."""
    text = "\x1e".join(f"{turn.role}\x1f{turn.content}" for turn in dialogue.turns)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def batches(dialogues: Iterable[Dialogue]) -> Iterator[list[Dialogue]]:
    """Dialogues in batches that fit into memory as units, however long they are."""
    batch: list[Dialogue] = []
    size = 0
    for dialogue in dialogues:
        own = sum(len(turn.content) for turn in dialogue.turns)
        if batch and (len(batch) >= MOST_AT_ONCE or size + own > MOST_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(dialogue)
        size += own
    if batch:
        yield batch


def _laid(dialogues: Sequence[Dialogue], questions: bool) -> tuple[Units, list[Groups]]:
    """The turns of Dialogues as units, and which belong together: a whole Dialogue's and, where asked for, those of the
    user alone.
    """
    turns = [(number, turn) for number, dialogue in enumerate(dialogues) for turn in dialogue.turns]
    of = np.array([number for number, _ in turns], np.int64)
    groups = [Groups(of, len(dialogues))]
    if questions:
        asked = np.array([turn.role == "user" for _, turn in turns], np.bool_)
        groups.append(Groups(np.where(asked, of, -1), len(dialogues)))
    return Units([turn.content for _, turn in turns]), groups


def shingles_of(dialogues: Sequence[Dialogue], *, questions: bool) -> list[tuple[Numbers, ...]]:
    """The sets of shingles of each Dialogue: of the whole and, where asked for, of what the user says alone."""
    units, groups = _laid(dialogues, questions)
    sets = [units.shingles(one) for one in groups]
    cut = [[numbers[begin:end] for begin, end in pairwise(starts)] for numbers, starts in sets]
    return list(zip(*cut, strict=True))


def _keys(dialogues: Sequence[Dialogue], questions: bool, similarity: float) -> Numbers:
    units, groups = _laid(dialogues, questions)
    return minhash.keys([units.bags(one) for one in groups], similarity)


@dataclass(frozen=True)
class Fingerprints:
    """The marks of Dialogues.

    ``only``: the language they must state, "" for any; ``check_language``: whether they must be in its script;
    ``similarity``: that of near duplicates, None where they are not looked for; ``questions``: whether their questions
    must be as similar too.
    """

    only: str = ""
    check_language: bool = False
    similarity: float | None = None
    questions: bool = True

    @property
    def name(self) -> str:
        """Names everything the marks follow from."""
        bands = "x".join(map(str, minhash.bands_for(self.similarity))) if self.similarity else "exact"
        of = "questions" if self.similarity and self.questions else "texts"
        return f"marks-{VERSION}-{self.only or 'any'}-{'checked' if self.check_language else 'stated'}-{of}-{bands}"

    def _reason(self, dialogue: Dialogue) -> str:
        if any(turn.role != "system" and not turn.content.strip() for turn in dialogue.turns):
            return EMPTY
        if self.only and dialogue.language != self.only:
            return LANGUAGE
        wrong = self.check_language and not is_written_in(text_of(dialogue), dialogue.language)
        return LANGUAGE if wrong else ""

    def __call__(self, dialogues: Sequence[Dialogue]) -> Columns:
        """Columns ``reason``, ``fingerprint`` (two numbers) and, where near duplicates are looked for, ``keys``."""
        prints = b"".join(_fingerprint(dialogue) for dialogue in dialogues)
        columns: Columns = {
            "reason": np.array([REASONS.index(self._reason(one)) for one in dialogues], dtype=np.uint8),
            "fingerprint": np.frombuffer(prints, np.uint64).reshape(-1, 2),
        }
        if self.similarity:
            parts = [*batches(dialogues)] or [[]]
            columns["keys"] = np.concatenate([_keys(part, self.questions, self.similarity) for part in parts])
        return columns
