"""Training Dialogues held against exams: which turn has what of which question or Passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from medctx.schemas.contamination import Kind, Overlap
from medctx.schemas.records import Dialogue
from medctx_data.contamination.exam_index import FEWEST_SHINGLES, GRAM, Index, Target
from medctx_data.text import minhash
from medctx_data.text.ngrams import Units, similarity, spans_of
from medctx_data.text.segments import Numbers, Places

SHOWN = 300
"""Characters of the overlapping text that a Touch keeps."""


class _Turns:
    """The turns of Dialogues as units; system prompts hold no examples and are left out."""

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        self.dialogues = dialogues
        told = [
            (number, turn.content)
            for number, dialogue in enumerate(dialogues)
            for turn in dialogue.turns
            if turn.role != "system"
        ]
        self.rows = [number for number, _ in told]
        self.texts = [text for _, text in told]
        self.units = Units(self.texts)

    def numbers(self, turn: int) -> Numbers:
        """The units of one turn."""
        return self.units.numbers[self.units.starts[turn] : self.units.starts[turn + 1]]

    def excerpt(self, turn: int, begin: int, end: int) -> str:
        """What a turn writes from unit ``begin`` to before unit ``end``."""
        spans = spans_of(self.texts[turn])
        return self.texts[turn][spans[begin][0] : spans[end - 1][1]]


class _Hit(NamedTuple):
    """A turn has something of a target: from which of its units to which, and how much."""

    turn: int
    target: int
    kind: Kind
    score: float
    begin: int
    end: int


def _position(units: Numbers, part: Numbers) -> int:
    """Where ``part`` stands in ``units`` in one piece, -1 where it does not (or is empty)."""
    if not len(part) or len(part) > len(units):
        return -1
    for start in np.flatnonzero(units[: len(units) - len(part) + 1] == part[0]):
        if np.array_equal(units[start : start + len(part)], part):
            return int(start)
    return -1


def _exact(turns: _Turns, turn: int, number: int, target: Target) -> _Hit | None:
    """The turn is the question, or has it with all its options in any order; or has the whole Passage."""
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
    """The longest run of neighbours in ascending ``places``: its first, and one after its last."""
    best = begin = places[0]
    length = 1
    for before, place in zip(places, [*places[1:], -1], strict=True):
        if place != before + 1:
            if before + 1 - begin > length:
                best, length = begin, before + 1 - begin
            begin = place
    return best, best + length


def _grams(turns: _Turns, index: Index) -> Iterator[_Hit]:
    """Grams in common; the score is the share of the target's grams."""
    numbers, begins = turns.units.windows(GRAM)
    found = index.grams.find(numbers)
    places = begins[found.places]
    codes = turns.units.text_at(places) * len(index.targets) + found.owners
    order = np.lexsort((places, codes))
    codes, places, numbers = codes[order], places[order], numbers[found.places][order]
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


def _candidates(shingles: Numbers, starts: Places, index: Index) -> Places:
    """Turns that may be alike something: as many of their shingles as that takes are an exam's."""
    known = np.concatenate([[0], np.cumsum(index.shingles.contains(shingles))])
    sizes = np.diff(starts)
    enough = (known[starts[1:]] - known[starts[:-1]]) >= index.similarity * sizes
    return np.flatnonzero(enough & (sizes >= FEWEST_SHINGLES))


def _alike(turns: _Turns, index: Index) -> Iterator[_Hit]:
    """Turns whose shingles are alike; MinHash proposes, the shingles decide."""
    if not index.sets:
        return
    shingles, starts = turns.units.shingles()
    chosen = _candidates(shingles, starts, index)
    own = [shingles[starts[turn] : starts[turn + 1]] for turn in chosen]
    joined = np.concatenate([np.empty(0, np.uint64), *own])
    keys = minhash.keys([(joined, np.cumsum([0, *(len(one) for one in own)]))], index.similarity)
    proposed: set[tuple[int, int]] = set()
    for band, table in enumerate(index.bands):
        found = table.find(keys[:, band])
        proposed |= set(zip(found.places.tolist(), found.owners.tolist(), strict=True))
    for place, number in sorted(proposed):
        much = similarity(own[place], index.sets[number])
        if much >= index.similarity:
            turn = int(chosen[place])
            yield _Hit(turn, index.set_targets[number], "minhash", much, 0, len(turns.numbers(turn)))


def _hits(turns: _Turns, index: Index) -> list[_Hit]:
    """The best of each kind for every Dialogue and target."""
    found = [*_grams(turns, index), *_alike(turns, index)]
    pairs = {(hit.turn, hit.target) for hit in found}
    whole = index.wholes.find(turns.units.wholes())
    pairs |= set(zip(whole.places.tolist(), whole.owners.tolist(), strict=True))
    found += [hit for turn, target in pairs if (hit := _exact(turns, turn, target, index.targets[target])) is not None]
    best: dict[tuple[int, int, Kind], _Hit] = {}
    for hit in sorted(found):
        key = (turns.rows[hit.turn], hit.target, hit.kind)
        if key not in best or hit.score > best[key].score:
            best[key] = hit
    return sorted(best.values())


def _touches(turns: _Turns, hit: _Hit, index: Index) -> Iterator[Overlap]:
    """A hit as the items it touches."""
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


def touches(dialogues: Sequence[Dialogue], index: Index) -> list[Overlap]:
    """Everything the Dialogues have of the exams, in the order of the Dialogues."""
    turns = _Turns(dialogues)
    return [touch for hit in _hits(turns, index) for touch in _touches(turns, hit, index)]
