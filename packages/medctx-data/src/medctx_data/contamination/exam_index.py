"""What exams say, laid out so that millions of training texts can be held against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from medctx.schemas.contamination import Where
from medctx_data.contamination.exam_files import ExamTexts
from medctx_data.text import minhash
from medctx_data.text.hash_index import Table
from medctx_data.text.ngrams import Units
from medctx_data.text.segments import Numbers

GRAM = 13
SHORTEST = 8
"""A question of fewer words than a gram is looked for as a whole if it has so many, else only as a whole turn."""
COMMON = 10
"""A gram that more questions or Passages than this share is a phrase of the trade, and touches nothing."""
FEWEST_SHINGLES = 5
"""Sets of fewer shingles are not compared: one phrase in common would make them alike."""
CHARACTERS = 1_000_000
"""About so many are laid out as units at the same time."""
_FEWEST_UNITS = 3

OwnerT = TypeVar("OwnerT")


class Target(NamedTuple):
    """A question or a Passage.

    ``items``: what is touched when it is found; ``numbers``: its units; ``options``: those of each option; ``grams``:
    how many different grams of it are looked for; ``fact``: what a question asks for that is to be known.
    """

    exam: str
    items: tuple[str, ...]
    where: Where
    passage: str
    numbers: Numbers
    options: tuple[Numbers, ...] = ()
    grams: int = 0
    fact: str = ""


class _Laid(NamedTuple):
    """A target with all its grams, its whole as one number (None where it is not looked for), its sets of shingles."""

    target: Target
    grams: Numbers
    whole: int | None
    short: bool
    sets: list[Numbers]


class _Texts:
    """Texts laid out as units together; of each its units, its grams, its shingles, its whole as one number."""

    def __init__(self, texts: Sequence[str]) -> None:
        units = Units(texts)
        self._units = units
        self._grams, places = units.windows(GRAM)
        self._gram_starts = np.searchsorted(units.text_at(places), np.arange(len(texts) + 1))
        self._shingles, self._shingle_starts = units.shingles()
        self.wholes = units.wholes()
        self.unspaced = units.unspaced()

    def numbers(self, text: int) -> Numbers:
        """Its units."""
        return self._units.numbers[self._units.starts[text] : self._units.starts[text + 1]]

    def grams(self, text: int) -> Numbers:
        """Every gram of it."""
        return self._grams[self._gram_starts[text] : self._gram_starts[text + 1]]

    def shingles(self, text: int) -> Numbers:
        """Its set of shingles."""
        return self._shingles[self._shingle_starts[text] : self._shingle_starts[text + 1]]


def _together(several: Iterable[tuple[OwnerT, list[str]]]) -> Iterator[tuple[OwnerT, _Texts, range]]:
    """Owners with their texts, laid out many at a time: which of the texts are theirs."""
    waiting: list[tuple[OwnerT, range]] = []
    texts: list[str] = []
    size = 0
    for owner, own in several:
        waiting.append((owner, range(len(texts), len(texts) + len(own))))
        texts += own
        size += sum(len(text) for text in own)
        if size > CHARACTERS:
            laid = _Texts(texts)
            yield from ((one, laid, places) for one, places in waiting)
            waiting, texts, size = [], [], 0
    laid = _Texts(texts)
    yield from ((one, laid, places) for one, places in waiting)


def _questions(exam: ExamTexts) -> Iterator[_Laid]:
    """Questions: the sets are of the question alone and with its options, in whatever order these stand."""
    told = ((one, [one.question, *one.options]) for one in exam.questions)
    for one, laid, (first, *others) in _together(told):
        question = laid.numbers(first)
        alone = laid.shingles(first)
        both = np.unique(np.concatenate([alone, *(laid.shingles(other) for other in others)]))
        options = tuple(laid.numbers(other) for other in others)
        yield _Laid(
            Target(exam.exam, (one.item,), "question", "", question, options, fact=one.fact),
            laid.grams(first),
            int(laid.wholes[first]) if len(question) >= _FEWEST_UNITS else None,
            SHORTEST <= len(question) < GRAM and not laid.unspaced[first],
            [alone, both] if len(both) > len(alone) else [alone],
        )


def _paragraphs(text: str) -> list[str]:
    found = [line for line in text.split("\n") if line.strip()]
    return found if len(found) > 1 else []


def _pages(exam: ExamTexts) -> Iterator[_Laid]:
    """Passages: the sets are of the whole and of each of its paragraphs."""
    told = ((page, [page.text, *_paragraphs(page.text)]) for page in exam.pages)
    for page, laid, places in _together(told):
        first = places[0]
        yield _Laid(
            Target(exam.exam, page.items, "book", page.passage, laid.numbers(first)),
            laid.grams(first),
            None,
            False,
            [laid.shingles(place) for place in places],
        )


def _joined(arrays: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.empty(0, np.uint64), *arrays])


class Index:
    """All exams of a ledger. It can be pickled.

    ``grams``, ``wholes`` and ``short`` (by width) hold numbers of the targets; ``bands`` hold MinHash keys of the
    ``sets`` of shingles, whose targets are ``set_targets``; ``shingles`` holds every shingle of any set.
    """

    def __init__(self, exams: Sequence[ExamTexts], similarity: float) -> None:
        self.similarity = similarity
        laid = [one for exam in exams for found in (_questions(exam), _pages(exam)) for one in found]
        owners = np.repeat(np.arange(len(laid)), [len(one.grams) for one in laid])
        self.grams = Table(_joined([one.grams for one in laid]), owners).without_common(COMMON)
        counts = np.bincount(self.grams.owners, minlength=len(laid)).tolist()
        self.targets = [one.target._replace(grams=count) for one, count in zip(laid, counts, strict=True)]
        wholes = [(number, one.whole) for number, one in enumerate(laid) if one.whole is not None]
        self.wholes = _table(wholes)
        self.short = {
            width: _table([(n, whole) for n, whole in wholes if laid[n].short and len(laid[n].target.numbers) == width])
            for width in range(SHORTEST, GRAM)
        }
        self.sets = [own for one in laid for own in one.sets if len(own) >= FEWEST_SHINGLES]
        self.set_targets = [
            number for number, one in enumerate(laid) for own in one.sets if len(own) >= FEWEST_SHINGLES
        ]
        every = _joined(self.sets)
        known = np.unique(every)
        self.shingles = Table(known, np.zeros(len(known), np.int64))
        starts = np.cumsum([0, *(len(own) for own in self.sets)])
        keys = minhash.keys([(every, starts)], similarity)
        self.bands = [Table(column, np.arange(len(column))) for column in keys.T]


def _table(pairs: Sequence[tuple[int, int]]) -> Table:
    return Table(
        np.array([number for _, number in pairs], dtype=np.uint64),
        np.array([owner for owner, _ in pairs], dtype=np.int64),
    )
