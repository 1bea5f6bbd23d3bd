"""Overlaps between training Dialogues and exams: which turn contains what of which question or Passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from medctx.schemas.contamination import Kind, Overlap
from medctx.schemas.records import Dialogue
from medctx_data.contamination.exam_index import FEWEST_SHINGLES, GRAM, ExamIndex, Target
from medctx_data.text import minhash
from medctx_data.text.ngrams import Units, similarity
from medctx_data.text.segments import Numbers, Places, spans_of

SHOWN = 300
"""Characters of the common text that an Overlap keeps."""


class _Turns:
    """The turns of Dialogues as units; system turns hold no examples and are left out."""

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        self.dialogues = dialogues
        spoken = [
            (number, turn.content)
            for number, dialogue in enumerate(dialogues)
            for turn in dialogue.turns
            if turn.role != "system"
        ]
        self.rows = [number for number, _ in spoken]
        self.texts = [text for _, text in spoken]
        self.units = Units(self.texts)

    def numbers(self, turn: int) -> Numbers:
        """The units of one turn."""
        return self.units.numbers[self.units.starts[turn] : self.units.starts[turn + 1]]

    def excerpt(self, turn: int, begin: int, end: int) -> str:
        """The text of a turn from unit ``begin`` to before unit ``end``."""
        spans = spans_of(self.texts[turn])
        return self.texts[turn][spans[begin][0] : spans[end - 1][1]]


class _Hit(NamedTuple):
    """A turn contains part of a target: from which of its units to which, and with which score."""

    turn: int
    target: int
    kind: Kind
    score: float
    begin: int
    end: int


def _position(units: Numbers, part: Numbers) -> int:
    """The place of ``part`` in ``units``, -1 where it is absent or empty."""
    if not len(part) or len(part) > len(units):
        return -1
    for start in np.flatnonzero(units[: len(units) - len(part) + 1] == part[0]):
        if np.array_equal(units[start : start + len(part)], part):
            return int(start)
    return -1


def _exact(turns: _Turns, turn: int, number: int, target: Target) -> _Hit | None:
    """A hit where the turn is the question, or contains it with all options in any order, or the whole Passage."""
    units = turns.numbers(turn)
    start = _position(units, target.numbers)
    if start < 0:
        return None
    whole = len(units) == len(target.numbers)
    options = bool(target.options) and all(_position(units, option) >= 0 for option in target.options)
    if target.where == "question" and not whole and not options:
        return None
    if target.where == "book" and len(target.numbers) < GRAM and not whole:
        return None
    return _Hit(turn, number, "exact", 1.0, start, start + len(target.numbers))


def _longest(places: Sequence[int]) -> tuple[int, int]:
    """The longest run of consecutive numbers in ascending ``places``: its first, and one after its last."""
    best = begin = places[0]
    length = 1
    for before, place in zip(places, [*places[1:], -1], strict=True):
        if place != before + 1:
            if before + 1 - begin > length:
                best, length = begin, before + 1 - begin
            begin = place
    return best, best + length


def _grams(turns: _Turns, index: ExamIndex) -> Iterator[_Hit]:
    """Grams in common; the score is the fraction of the target's grams."""
    numbers, begins = turns.units.windows(GRAM)
    matches = index.grams.find(numbers)
    places = begins[matches.places]
    codes = turns.units.text_at(places) * len(index.targets) + matches.owners
    order = np.lexsort((places, codes))
    codes, places, numbers = codes[order], places[order], numbers[matches.places][order]
    edges = [*np.flatnonzero(np.diff(codes, prepend=-1)).tolist(), len(codes)]
    for begin, end in pairwise(edges):
        turn, target = divmod(int(codes[begin]), len(index.targets))
        first = int(turns.units.starts[turn])
        start, last = _longest((places[begin:end] - first).tolist())
        share = len(np.unique(numbers[begin:end])) / index.targets[target].grams
        yield _Hit(turn, target, "13-gram", share, start, last - 1 + GRAM)
    for width, table in index.short.items():
        if len(table.numbers):
            numbers, begins = turns.units.windows(width)
            short = table.find(numbers)
            for place, target in zip(begins[short.places].tolist(), short.owners.tolist(), strict=True):
                turn = int(turns.units.text_at(np.array([place]))[0])
                start = place - int(turns.units.starts[turn])
                yield _Hit(turn, target, "13-gram", 1.0, start, start + width)


def _candidates(shingles: Numbers, starts: Places, index: ExamIndex) -> Places:
    """Turns that may be similar to a target: enough of their shingles are in the index."""
    known = np.concatenate([[0], np.cumsum(index.shingles.contains(shingles))])
    sizes = np.diff(starts)
    enough = (known[starts[1:]] - known[starts[:-1]]) >= index.similarity * sizes
    return np.flatnonzero(enough & (sizes >= FEWEST_SHINGLES))


def _similar(turns: _Turns, index: ExamIndex) -> Iterator[_Hit]:
    """Turns with similar shingles; MinHash proposes, the shingles decide."""
    if not index.sets:
        return
    shingles, starts = turns.units.shingles()
    chosen = _candidates(shingles, starts, index)
    sets = [shingles[starts[turn] : starts[turn + 1]] for turn in chosen]
    joined = np.concatenate([np.empty(0, np.uint64), *sets])
    keys = minhash.keys([(joined, np.cumsum([0, *map(len, sets)]))], index.similarity)
    proposed: set[tuple[int, int]] = set()
    for band, table in enumerate(index.bands):
        matches = table.find(keys[:, band])
        proposed |= set(zip(matches.places.tolist(), matches.owners.tolist(), strict=True))
    for place, number in sorted(proposed):
        score = similarity(sets[place], index.sets[number])
        if score >= index.similarity:
            turn = int(chosen[place])
            yield _Hit(turn, index.set_targets[number], "minhash", score, 0, len(turns.numbers(turn)))


def _hits(turns: _Turns, index: ExamIndex) -> list[_Hit]:
    """The best hit of each kind for every Dialogue and target."""
    hits = [*_grams(turns, index), *_similar(turns, index)]
    pairs = {(hit.turn, hit.target) for hit in hits}
    whole = index.wholes.find(turns.units.wholes())
    pairs |= set(zip(whole.places.tolist(), whole.owners.tolist(), strict=True))
    hits += [hit for turn, target in pairs if (hit := _exact(turns, turn, target, index.targets[target])) is not None]
    best: dict[tuple[int, int, Kind], _Hit] = {}
    for hit in sorted(hits):
        key = (turns.rows[hit.turn], hit.target, hit.kind)
        if key not in best or hit.score > best[key].score:
            best[key] = hit
    return sorted(best.values())


def _overlaps(turns: _Turns, hit: _Hit, index: ExamIndex) -> Iterator[Overlap]:
    """One Overlap per item of a hit."""
    target, dialogue = index.targets[hit.target], turns.dialogues[turns.rows[hit.turn]]
    taught = hit.kind == "13-gram" and bool(target.fact) and target.fact in dialogue.facts
    text = turns.excerpt(hit.turn, hit.begin, hit.end)[:SHOWN]
    for item in target.items or ("",):
        yield Overlap(
            exam=target.exam,
            item=item,
            kind=hit.kind,
            where=target.where,
            source=dialogue.source,
            row=dialogue.id,
            score=round(hit.score, 4),
            text=text,
            passage=target.passage,
            taught=taught,
        )


def find_overlaps(dialogues: Sequence[Dialogue], index: ExamIndex) -> list[Overlap]:
    """Return all overlaps of the Dialogues with the exams, in the order of the Dialogues."""
    turns = _Turns(dialogues)
    return [overlap for hit in _hits(turns, index) for overlap in _overlaps(turns, hit, index)]
