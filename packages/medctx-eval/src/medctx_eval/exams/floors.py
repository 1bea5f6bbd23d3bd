"""What readers score that leave something out: the floors beside every reading number.

*Question-blind*: the reader has the Book and the options, not the question, and guesses among the options that stand in
the Book. *Book-blind*: it has the question and the options, not the Book, and guesses among all options.

Options that are whole sentences restate the question in the words they share ("The serum ferritin of N is ...").
A reader without the question does not have these words either, so an option occurs in the Book where the part that is
its own does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from pydantic import Field

from medctx.schemas.records import ExamItem, Judged, Record
from medctx_eval.exams.condition import parse
from medctx_eval.exams.counterfactual import offer_cannot

SHARED_WORDS = 3
"""Options that share fewer words than this are compared whole: "type 1" and "type 2" diabetes are two diseases."""


class ConditionedItem(NamedTuple):
    """An item as it is asked under a Condition.

    ``options`` by letter, as offered; ``gold`` and ``cannot`` (the option that says the question cannot be answered,
    "" if there is none) are letters; ``book`` is the text before the question.
    """

    exam: str
    condition: str
    options: Mapping[str, str]
    gold: tuple[str, ...]
    book: str
    cannot: str = ""


def under_condition(judged: Judged, item: ExamItem, book: str) -> ConditionedItem:
    """An item of an exam as it was asked and judged under a Condition, with ``book`` before it.

    Args:
        judged: Its verdict, which holds what was right under the Condition.
        item: The item as the exam has it.
        book: The text of its Book, "" without one.
    """
    offered = offer_cannot(item) if parse(judged.condition).kind == "distractor" else item
    return ConditionedItem(judged.exam, judged.condition, offered.options, judged.gold, book, offered.cannot)


class Floor(Record):
    """Expected accuracy, in [0, 1], of readers that leave something out, over the ``items`` of a Condition.

    ``question_blind`` guesses among the options that occur in the Book (among all where none does); ``book_blind``
    guesses among all options, ``commonest_letter`` always takes the letter that is right most often, ``longest`` an
    option of the most characters. ``stated``: the mean share of options that occur in the Book. None of them finds
    several right options.
    """

    exam: str
    condition: str
    items: int = Field(ge=1)
    question_blind: float = Field(ge=0, le=1)
    book_blind: float = Field(ge=0, le=1)
    commonest_letter: float = Field(ge=0, le=1)
    longest: float = Field(ge=0, le=1)
    stated: float = Field(ge=0, le=1)

    @property
    def without_book(self) -> float:
        """The best of the readers that have no Book."""
        return max(self.book_blind, self.commonest_letter, self.longest)


def _shared(sequences: Sequence[Sequence[str]]) -> int:
    """How many words all sequences begin with."""
    shared = takewhile(lambda words: len(set(words)) == 1, zip(*sequences, strict=False))
    return sum(1 for _ in shared)


def own_parts(options: Mapping[str, str]) -> dict[str, str]:
    """Each option without the words that all of them begin and end with, if these are many enough to be a sentence."""
    words = {letter: text.rstrip(".。 ").split() for letter, text in options.items()}
    before = _shared(list(words.values()))
    after = _shared([texts[before:][::-1] for texts in words.values()])
    if before + after < SHARED_WORDS or len(options) < 2:
        return dict(options)
    parts = {letter: " ".join(texts[before : len(texts) - after]) for letter, texts in words.items()}
    return parts if all(parts.values()) else dict(options)


def _standing(part: str) -> re.Pattern[str]:
    """The part as words and numbers of their own, in any case, without the full stop of its sentence."""
    bare = part.strip().rstrip(".。") or part.strip()
    before = r"(?<!\w)" if bare[:1].isascii() else ""
    after = r"(?!\w)" if bare[-1:].isascii() else ""
    # Digits of a longer number ("5 mg" in "12.5 mg") are another number.
    before = r"(?<![\w.,])" if bare[:1].isdigit() else before
    after = r"(?!\w|[.,]\d)" if bare[-1:].isdigit() else after
    return re.compile(before + re.escape(bare) + after, re.IGNORECASE)


def stated(item: ConditionedItem) -> tuple[str, ...]:
    """The letters whose options occur in the Book."""
    offered = {letter: text for letter, text in item.options.items() if letter != item.cannot}
    parts = own_parts(offered)
    return tuple(letter for letter, part in parts.items() if _standing(part).search(item.book))


def question_blind(item: ConditionedItem) -> float:
    """The chance that a guess among the options that occur in the Book is right."""
    among = stated(item) or tuple(item.options)
    return (item.gold[0] in among) / len(among) if len(item.gold) == 1 else 0.0


def book_blind(item: ConditionedItem) -> float:
    """The chance that a guess among all options is right."""
    return 1 / len(item.options) if len(item.gold) == 1 else 0.0


def _longest(item: ConditionedItem) -> float:
    most = max(map(len, item.options.values()))
    among = [letter for letter, text in item.options.items() if len(text) == most]
    return (item.gold[0] in among) / len(among) if len(item.gold) == 1 else 0.0


def _commonest_letter(several: Sequence[ConditionedItem]) -> float:
    letters = sorted({letter for item in several for letter in item.options})
    return max(sum(item.gold == (letter,) for item in several) for letter in letters) / len(several)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def floor(several: Sequence[ConditionedItem]) -> Floor:
    """The floors of items asked under one Condition of one exam."""
    first = several[0]
    offered = [len(item.options) - bool(item.cannot) for item in several]
    return Floor(
        exam=first.exam,
        condition=first.condition,
        items=len(several),
        question_blind=_mean([question_blind(item) for item in several]),
        book_blind=_mean([book_blind(item) for item in several]),
        commonest_letter=_commonest_letter(several),
        longest=_mean([_longest(item) for item in several]),
        stated=_mean([len(stated(item)) / count for item, count in zip(several, offered, strict=True)]),
    )


def floors(items: Iterable[ConditionedItem]) -> list[Floor]:
    """The floors of every exam and Condition, in order of first appearance."""
    parts: dict[tuple[str, str], list[ConditionedItem]] = defaultdict(list)
    for item in items:
        parts[item.exam, item.condition].append(item)
    return [floor(several) for several in parts.values()]
