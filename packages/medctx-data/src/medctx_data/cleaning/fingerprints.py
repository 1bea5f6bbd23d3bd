"""What cleaning measures of a row: a reason to leave it out by itself, a fingerprint, the keys of its MinHash bands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medctx.schemas.records import Dialogue
from medctx_data.row_store.rows import Columns
from medctx_data.text import minhash
from medctx_data.text.ngrams import VERSION, Groups, Units
from medctx_data.text.script import is_written_in
from medctx_data.text.segments import Numbers

EMPTY = "empty"
LANGUAGE = "language"
REASONS = ("", EMPTY, LANGUAGE)
"""Reasons to leave a row out by itself; the column ``reason`` holds indices of this tuple."""

MAX_DIALOGUES = 1_000
MAX_CHARACTERS = 1_000_000
"""Limits of a batch of Dialogues whose units are in memory at the same time."""


def compared_text(dialogue: Dialogue) -> str:
    """Return the text by which Dialogues are compared: all turns, each on lines of its own."""
    return "\n".join(turn.content for turn in dialogue.turns)


def _fingerprint(dialogue: Dialogue) -> bytes:
    """16 bytes of the text and its speakers."""
    text = "\x1e".join(f"{turn.role}\x1f{turn.content}" for turn in dialogue.turns)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def dialogue_batches(dialogues: Iterable[Dialogue]) -> Iterator[list[Dialogue]]:
    """Yield Dialogues in batches whose units fit into memory, however long they are."""
    batch: list[Dialogue] = []
    size = 0
    for dialogue in dialogues:
        characters = sum(len(turn.content) for turn in dialogue.turns)
        if batch and (len(batch) >= MAX_DIALOGUES or size + characters > MAX_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(dialogue)
        size += characters
    if batch:
        yield batch


def _units(dialogues: Sequence[Dialogue], questions: bool) -> tuple[Units, list[Groups]]:
    """The turns of Dialogues as units, and their groups: those of a whole Dialogue and, where ``questions`` is set,
    those of the user alone.
    """
    turns = [(number, turn) for number, dialogue in enumerate(dialogues) for turn in dialogue.turns]
    of = np.array([number for number, _ in turns], np.int64)
    groups = [Groups(of, len(dialogues))]
    if questions:
        by_user = np.array([turn.role == "user" for _, turn in turns], np.bool_)
        groups.append(Groups(np.where(by_user, of, -1), len(dialogues)))
    return Units([turn.content for _, turn in turns]), groups


def shingles_of(dialogues: Sequence[Dialogue], *, questions: bool) -> list[tuple[Numbers, ...]]:
    """Return the sets of shingles of each Dialogue: of the whole and, with ``questions``, of the user's turns alone."""
    units, groups = _units(dialogues, questions)
    sets = [units.shingles(group) for group in groups]
    cut = [[numbers[begin:end] for begin, end in pairwise(starts)] for numbers, starts in sets]
    return list(zip(*cut, strict=True))


def _keys(dialogues: Sequence[Dialogue], questions: bool, similarity: float) -> Numbers:
    units, groups = _units(dialogues, questions)
    return minhash.keys([units.bags(group) for group in groups], similarity)


@dataclass(frozen=True)
class Fingerprints:
    """The measurement of Dialogues for cleaning.

    Attributes:
        only: Language that rows must state, ``""`` for any.
        check_language: Whether rows must be written in the script of their language.
        similarity: Similarity of near duplicates, None where they are not looked for.
        questions: Whether the questions of near duplicates must be as similar too.
    """

    only: str = ""
    check_language: bool = False
    similarity: float | None = None
    questions: bool = True

    @property
    def name(self) -> str:
        """Name of everything that the results depend on."""
        bands = "x".join(map(str, minhash.bands_for(self.similarity))) if self.similarity else "exact"
        scope = "questions" if self.similarity and self.questions else "texts"
        checked = "checked" if self.check_language else "stated"
        return f"fingerprints-{VERSION}-{self.only or 'any'}-{checked}-{scope}-{bands}"

    def _reason(self, dialogue: Dialogue) -> str:
        if any(turn.role != "system" and not turn.content.strip() for turn in dialogue.turns):
            return EMPTY
        if self.only and dialogue.language != self.only:
            return LANGUAGE
        wrong = self.check_language and not is_written_in(compared_text(dialogue), dialogue.language)
        return LANGUAGE if wrong else ""

    def __call__(self, dialogues: Sequence[Dialogue]) -> Columns:
        """Return ``reason``, ``fingerprint`` (two numbers) and, where near duplicates are looked for, ``keys``."""
        fingerprints = b"".join(_fingerprint(dialogue) for dialogue in dialogues)
        columns: Columns = {
            "reason": np.array([REASONS.index(self._reason(dialogue)) for dialogue in dialogues], dtype=np.uint8),
            "fingerprint": np.frombuffer(fingerprints, np.uint64).reshape(-1, 2),
        }
        if self.similarity:
            parts = [*dialogue_batches(dialogues)] or [[]]
            columns["keys"] = np.concatenate([_keys(part, self.questions, self.similarity) for part in parts])
        return columns
