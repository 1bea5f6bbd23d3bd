"""What exams say, laid out so that millions of training texts can be held against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from medctx.contamination import Where
from medctx_data import minhash
from medctx_data.exam_files import ExamTexts
from medctx_data.scan import Numbers
from medctx_data.table import Table
from medctx_data.units import Units

GRAM = 13
SHORTEST = 8
"""A question of fewer words than a gram is looked for as a whole if it has so many, else only as a whole turn."""
COMMON = 10
"""A gram that more questions or Passages than this share is a phrase of the trade, and touches nothing."""
FEWEST_SHINGLES = 5
"""Sets of fewer shingles are not compared: one phrase in common would make them alike."""
_FEWEST_UNITS = 3


class Target(NamedTuple):
    """A question or a Passage.

    ``items``: what is touched when it is found; ``numbers``: its units; ``options``: those of each option; ``grams``:
    how many different grams of it are looked for.
    """

    exam: str
    items: tuple[str, ...]
    where: Where
    passage: str
    numbers: Numbers
    options: tuple[Numbers, ...] = ()
    grams: int = 0


class _Laid(NamedTuple):
    """A target with all its grams, its whole as one number (None where it is not looked for), its sets of shingles."""

    target: Target
    grams: Numbers
    whole: int | None
    short: bool
    sets: list[Numbers]


def _questions(exam: ExamTexts) -> Iterator[_Laid]:
    """Questions: the sets are of the question alone and with its options, in whatever order these stand."""
    for one in exam.questions:
        units = Units([one.question, *one.options])
        shingles, starts = units.shingles()
        alone, both = shingles[: starts[1]], np.unique(shingles)
        question, *options = [units.numbers[begin:end] for begin, end in pairwise(units.starts)]
        yield _Laid(
            Target(exam.exam, (one.item,), "question", "", question, tuple(options)),
            units.windows(GRAM)[0],
            int(units.wholes()[0]) if len(question) >= _FEWEST_UNITS else None,
            SHORTEST <= len(question) < GRAM and not units.unspaced()[0],
            [alone, both] if len(both) > len(alone) else [alone],
        )


def _pages(exam: ExamTexts) -> Iterator[_Laid]:
    """Passages: the sets are of the whole and of each of its paragraphs."""
    for page in exam.pages:
        paragraphs = [line for line in page.text.split("\n") if line.strip()]
        units = Units([page.text, *(paragraphs if len(paragraphs) > 1 else ())])
        grams, places = units.windows(GRAM)
        shingles, starts = units.shingles()
        yield _Laid(
            Target(exam.exam, page.items, "book", page.passage, units.numbers[: units.starts[1]]),
            grams[units.text_at(places) == 0],
            None,
            False,
            [shingles[begin:end] for begin, end in pairwise(starts)],
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
