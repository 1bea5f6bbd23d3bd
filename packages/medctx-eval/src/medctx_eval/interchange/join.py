"""Brings runs of different harnesses to the same items: joined by id, else by the text of question and options."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medctx.schemas.records import ExamItem, Judged, Mode
from medctx_eval.interchange.foreign import LETTERS, NO_OPTIONS, SHORTENED, ForeignAnswer, ForeignRun

_LEAST_KEPT = 200
"""Characters that a shortened question keeps at least."""

_CLUSTER_NAME = 60
"""Characters of a passage in the name of its cluster."""

TextKey = tuple[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class JoinedItem:
    """An item as the first run has it; letters of other runs are translated to its own.

    Attributes:
        exam: Name of its exam.
        id: Its id, unique among all items.
        logged_id: Its id in the log, unique in its exam.
        question: The question.
        options: Option texts by letter; empty if unknown.
        gold: Right letters.
        cluster: What its statistics are clustered by.
        passage: The text before the question.
    """

    exam: str
    id: str
    logged_id: str
    question: str
    options: dict[str, str]
    gold: tuple[str, ...]
    cluster: str
    passage: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """The answers of one run on the items of the first.

    Attributes:
        judged: One record per item, mode and repetition.
        by_id: Items joined by their id.
        by_text: Items joined by question and options.
        left_out: Items without a partner.
        disagreeing: Items left out because their right letters differ.
    """

    judged: tuple[Judged, ...]
    by_id: int
    by_text: int
    left_out: int
    disagreeing: int


def normalised(text: str) -> str:
    """Return a text in one form: width, case, white space and closing marks do not matter."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(" .:?!")


def text_key(question: str, options: Iterable[str]) -> TextKey:
    """Return what an item is joined by if its id is unknown: the question and the set of its options."""
    return normalised(question), frozenset(map(normalised, options))


def items_of_run(run: ForeignRun) -> dict[Mode, list[JoinedItem]]:
    """Return the items of a run that were asked in each mode; those with the same passage are one cluster."""
    exams: dict[str, set[str]] = {}
    for answer in run.answers:
        exams.setdefault(answer.item, set()).add(answer.exam)
    items: dict[Mode, dict[tuple[str, str], JoinedItem]] = {}
    for answer in run.answers:
        of_mode = items.setdefault(answer.mode, {})
        key = (answer.exam, answer.item)
        if key not in of_mode:
            unique = answer.item if len(exams[answer.item]) == 1 else f"{answer.exam}/{answer.item}"
            of_mode[key] = JoinedItem(
                exam=answer.exam,
                id=unique,
                logged_id=answer.item,
                question=answer.question,
                options=dict(zip(LETTERS, answer.options, strict=False)),
                gold=answer.gold,
                cluster=answer.cluster or (_cluster_name(answer.passage) if answer.passage else unique),
                passage=answer.passage,
            )
    return {mode: list(of_mode.values()) for mode, of_mode in items.items()}


def items_of_exam(items: Iterable[ExamItem]) -> list[JoinedItem]:
    """Return the items of one of our exams."""
    return [
        JoinedItem(item.exam, item.id, item.id, item.question, dict(item.options), item.gold, item.cluster)
        for item in items
    ]


def _is_same_question(first: str, second: str) -> bool:
    """Return True for equal questions; inspect shortens long ones, so a long beginning of the other counts too."""
    short, long = sorted((normalised(SHORTENED.sub("", text)) for text in (first, second)), key=len)
    return short == long or (len(short) > _LEAST_KEPT and long.startswith(short))


def _cluster_name(passage: str) -> str:
    """A name for the items of one passage."""
    text = normalised(passage)
    return f"{text[:_CLUSTER_NAME]} {hashlib.sha256(text.encode()).hexdigest()[:8]}"


class ItemIndex:
    """Finds the item of the first run that an answer of another belongs to."""

    def __init__(self, items: Sequence[JoinedItem]) -> None:
        self._by_exam_and_id = {(item.exam, item.logged_id): item for item in items}
        ids = Counter(item.logged_id for item in items)
        self._by_id = {item.logged_id: item for item in items if ids[item.logged_id] == 1}
        keys = [text_key(item.question, item.options.values()) for item in items]
        counts = Counter(keys)
        self._by_text = {key: item for key, item in zip(keys, items, strict=True) if counts[key] == 1 and key[0]}

    def by_id(self, answer: ForeignAnswer) -> JoinedItem | None:
        """Return the item of the same id, unless its question or options are other ones."""
        item = self._by_exam_and_id.get((answer.exam, answer.item)) or self._by_id.get(answer.item)
        if item is None:
            return None
        if answer.options and item.options and len(answer.options) != len(item.options):
            return None
        if answer.question and item.question:
            return item if _is_same_question(answer.question, item.question) else None
        # Ids such as doc_3 are numbers of rows: without a question they mean something in the same exam only.
        same_options = bool(answer.options) and text_key("", answer.options) == text_key("", item.options.values())
        return item if answer.exam == item.exam or same_options else None

    def by_text(self, answer: ForeignAnswer) -> JoinedItem | None:
        """Return the item of the same question and options, in any order."""
        return self._by_text.get(text_key(answer.question, answer.options))


def _translation(answer: ForeignAnswer, item: JoinedItem) -> dict[str, str]:
    """The letters of an answer as letters of the item, through the option texts where both are known."""
    letters = {normalised(text): letter for letter, text in item.options.items()}
    if len(letters) == len(answer.options) and letters.keys() == set(map(normalised, answer.options)):
        return {LETTERS[place]: letters[normalised(text)] for place, text in enumerate(answer.options)}
    return {letter: letter for letter in LETTERS}


def _translated(letters: Sequence[str], translation: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(translation.get(letter, letter) for letter in letters))


def join_run(run: ForeignRun, indexes: Mapping[Mode, ItemIndex]) -> Joined:
    """Return the answers of a run as records on the items of the index of their mode."""
    judged: dict[tuple[str, Mode, int], Judged] = {}
    how: dict[tuple[str, str], str] = {}
    ways: dict[str, str] = {}
    for answer in run.answers:
        index = indexes.get(answer.mode)
        item, way = index.by_id(answer) if index else None, "id"
        if item is None:
            item, way = index.by_text(answer) if index else None, "text"
        if item is None:
            how.setdefault((answer.exam, answer.item), "none")
            continue
        translation = _translation(answer, item)
        gold = _translated(answer.gold, translation)
        if NO_OPTIONS in (gold, item.gold):
            gold = item.gold
        if gold != item.gold:
            how[answer.exam, answer.item] = "gold"
            continue
        how[answer.exam, answer.item] = way
        ways.setdefault(item.id, way)
        chosen = answer.gold if answer.chosen == answer.gold else answer.chosen
        record = Judged(
            item=item.id,
            exam=item.exam,
            condition="gold" if item.passage else "closed",
            axis="reading" if item.passage else "knowledge",
            cluster=item.cluster,
            mode=answer.mode,
            order=answer.order,
            verdict=answer.verdict,
            chosen=item.gold if chosen == answer.gold else _translated(chosen, translation),
            gold=item.gold,
            detail=answer.detail,
        )
        judged.setdefault((item.id, answer.mode, answer.order), record)
    lost, joined_by = Counter(how.values()), Counter(ways.values())
    return Joined(tuple(judged.values()), joined_by["id"], joined_by["text"], lost["none"], lost["gold"])
