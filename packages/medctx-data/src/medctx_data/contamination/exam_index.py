"""An index of exam questions and Passages, against which millions of training texts can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from medctx.schemas.contamination import Where
from medctx_data.contamination.exam_files import ExamTexts
from medctx_data.text import minhash
from medctx_data.text.hash_index import HashIndex
from medctx_data.text.ngrams import Units
from medctx_data.text.segments import Numbers

GRAM = 13
SHORTEST = 8
"""A question shorter than a gram is looked for inside turns if it has at least so many words, else only as a turn."""
COMMON = 10
"""A gram of more questions or Passages than this is a common phrase and is ignored."""
FEWEST_SHINGLES = 5
"""Sets with fewer shingles are not compared: one common phrase would make them similar."""
CHARACTERS = 1_000_000
"""Approximate number of characters whose units are in memory at the same time."""
_FEWEST_UNITS = 3

OwnerT = TypeVar("OwnerT")


class Target(NamedTuple):
    """A question or a Passage to look for.

    Attributes:
        exam: Its exam.
        items: Items that overlap where it is found.
        where: Whether it is a question or a Passage of a Book.
        passage: Id of the Passage, ``""`` for a question.
        numbers: Numbers of its units.
        options: Numbers of the units of each option.
        grams: How many different grams of it are looked for.
        fact: Fact that a question asks for without evidence, ``""`` where there is none.
    """

    exam: str
    items: tuple[str, ...]
    where: Where
    passage: str
    numbers: Numbers
    options: tuple[Numbers, ...] = ()
    grams: int = 0
    fact: str = ""


class _Entry(NamedTuple):
    """A target with all its grams, its whole as one number (None where not looked for) and its sets of shingles."""

    target: Target
    grams: Numbers
    whole: int | None
    short: bool
    sets: list[Numbers]


class _Texts:
    """Units, grams and shingles of several texts, computed together."""

    def __init__(self, texts: Sequence[str]) -> None:
        units = Units(texts)
        self._units = units
        self._grams, places = units.windows(GRAM)
        self._gram_starts = np.searchsorted(units.text_at(places), np.arange(len(texts) + 1))
        self._shingles, self._shingle_starts = units.shingles()
        self.wholes = units.wholes()
        self.unspaced = units.unspaced()

    def numbers(self, text: int) -> Numbers:
        """The units of one text."""
        return self._units.numbers[self._units.starts[text] : self._units.starts[text + 1]]

    def grams(self, text: int) -> Numbers:
        """Its grams."""
        return self._grams[self._gram_starts[text] : self._gram_starts[text + 1]]

    def shingles(self, text: int) -> Numbers:
        """Its set of shingles."""
        return self._shingles[self._shingle_starts[text] : self._shingle_starts[text + 1]]


def _batched(owned_texts: Iterable[tuple[OwnerT, list[str]]]) -> Iterator[tuple[OwnerT, _Texts, range]]:
    """Process the texts of several owners together; yield each owner with the numbers of its texts."""
    waiting: list[tuple[OwnerT, range]] = []
    texts: list[str] = []
    size = 0
    for owner, members in owned_texts:
        waiting.append((owner, range(len(texts), len(texts) + len(members))))
        texts += members
        size += sum(len(text) for text in members)
        if size > CHARACTERS:
            processed = _Texts(texts)
            yield from ((known, processed, places) for known, places in waiting)
            waiting, texts, size = [], [], 0
    processed = _Texts(texts)
    yield from ((known, processed, places) for known, places in waiting)


def _questions(exam: ExamTexts) -> Iterator[_Entry]:
    """Questions; their sets are of the question alone and with its options, in any order of these."""
    texts = ((question, [question.question, *question.options]) for question in exam.questions)
    for question, processed, (first, *others) in _batched(texts):
        numbers = processed.numbers(first)
        alone = processed.shingles(first)
        with_options = np.unique(np.concatenate([alone, *(processed.shingles(other) for other in others)]))
        options = tuple(processed.numbers(other) for other in others)
        yield _Entry(
            Target(exam.exam, (question.item,), "question", "", numbers, options, fact=question.fact),
            processed.grams(first),
            int(processed.wholes[first]) if len(numbers) >= _FEWEST_UNITS else None,
            SHORTEST <= len(numbers) < GRAM and not processed.unspaced[first],
            [alone, with_options] if len(with_options) > len(alone) else [alone],
        )


def _paragraphs(text: str) -> list[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 1 else []


def _passages(exam: ExamTexts) -> Iterator[_Entry]:
    """Passages; their sets are of the whole and of each paragraph."""
    texts = ((passage, [passage.text, *_paragraphs(passage.text)]) for passage in exam.passages)
    for passage, processed, places in _batched(texts):
        first = places[0]
        yield _Entry(
            Target(exam.exam, passage.items, "book", passage.passage, processed.numbers(first)),
            processed.grams(first),
            None,
            False,
            [processed.shingles(place) for place in places],
        )


def _joined(arrays: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.empty(0, np.uint64), *arrays])


class ExamIndex:
    """All exams of a contamination report. It can be pickled.

    Attributes:
        similarity: Jaccard similarity from which texts are similar.
        targets: Questions and Passages by number.
        grams: Grams of the targets.
        wholes: Numbers of whole targets.
        short: Numbers of whole short targets, by width.
        sets: Sets of shingles; ``set_targets`` are their targets.
        shingles: Every shingle of any set.
        bands: MinHash keys of the sets, one index per band.
    """

    def __init__(self, exams: Sequence[ExamTexts], similarity: float) -> None:
        self.similarity = similarity
        entries = [entry for exam in exams for kind in (_questions(exam), _passages(exam)) for entry in kind]
        owners = np.repeat(np.arange(len(entries)), [len(entry.grams) for entry in entries])
        self.grams = HashIndex(_joined([entry.grams for entry in entries]), owners).without_common(COMMON)
        counts = np.bincount(self.grams.owners, minlength=len(entries)).tolist()
        self.targets = [entry.target._replace(grams=count) for entry, count in zip(entries, counts, strict=True)]
        wholes = [(number, entry.whole) for number, entry in enumerate(entries) if entry.whole is not None]
        self.wholes = _index(wholes)
        self.short = {
            width: _index(
                [
                    (number, whole)
                    for number, whole in wholes
                    if entries[number].short and len(entries[number].target.numbers) == width
                ]
            )
            for width in range(SHORTEST, GRAM)
        }
        owned = [
            (number, shingles)
            for number, entry in enumerate(entries)
            for shingles in entry.sets
            if len(shingles) >= FEWEST_SHINGLES
        ]
        self.sets = [shingles for _, shingles in owned]
        self.set_targets = [number for number, _ in owned]
        joined = _joined(self.sets)
        known = np.unique(joined)
        self.shingles = HashIndex(known, np.zeros(len(known), np.int64))
        starts = np.cumsum([0, *(len(shingles) for shingles in self.sets)])
        keys = minhash.keys([(joined, starts)], similarity)
        self.bands = [HashIndex(column, np.arange(len(column))) for column in keys.T]


def _index(pairs: Sequence[tuple[int, int]]) -> HashIndex:
    return HashIndex(
        np.array([number for _, number in pairs], dtype=np.uint64),
        np.array([owner for owner, _ in pairs], dtype=np.int64),
    )
