"""Items under Conditions that change what is right: evidence removed, and evidence altered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medctx.schemas.records import ExamItem, Passage, Record
from medctx_eval.exams.exam import Exam

CANNOT = {
    "en": "The question cannot be answered from the text.",
    "zh": "根据所给文本无法回答。",
}
LETTERS = "ABCDEFGHIJ"
_JUDGEMENTS = frozenset({"yes", "no", "maybe", "true", "false", "是", "否", "不是", "对", "错", "正确", "错误"})
"""Options that judge a statement: the evidence may hold such a word anywhere, and means something else by it."""


class Altered(Record):
    """An item whose ``gold`` is what its altered ``evidence`` says."""

    item: ExamItem
    evidence: tuple[Passage, ...]


def offer_cannot(item: ExamItem) -> ExamItem:
    """The item with an option that says the question cannot be answered; itself where it has one."""
    if item.cannot:
        return item
    letter = next(one for one in LETTERS if one not in item.options)
    text = CANNOT.get(item.language, CANNOT["en"])
    return item.model_copy(update={"options": {**item.options, letter: text}, "cannot": letter})


def without_evidence(item: ExamItem) -> ExamItem:
    """The item as it is right when its evidence is taken away: only "cannot be answered" is."""
    offering = offer_cannot(item)
    return offering.model_copy(update={"gold": (offering.cannot,)})


def _standing(text: str) -> re.Pattern[str]:
    """The text as words of their own, in any case; Chinese has no word boundaries."""
    edge = r"\b" if text.isascii() and text[:1].isalnum() and text[-1:].isalnum() else ""
    return re.compile(edge + re.escape(text) + edge, re.IGNORECASE)


def _in_case_of(found: str, text: str) -> str:
    """``text`` beginning with a lower-case letter where what it replaces does."""
    plain = found[:1].islower() and text[1:2].islower()
    return text[:1].lower() + text[1:] if plain else text


def _replaced(passage: Passage, pattern: re.Pattern[str], text: str) -> Passage:
    return passage.model_copy(update={"text": pattern.sub(lambda found: _in_case_of(found[0], text), passage.text)})


def _by_replacement(item: ExamItem, evidence: Sequence[Passage]) -> Altered | None:
    """Put a wrong option's text wherever the evidence has the gold option's.

    Only where the evidence states the gold's text in so many words and that of the wrong option nowhere: else the
    altered text would contradict itself or say nothing new.
    """
    gold = item.options[item.gold[0]]
    if item.multiple or item.gold == (item.cannot,) or gold.strip(" .。").lower() in _JUDGEMENTS:
        return None
    pattern = _standing(gold)
    whole = "\n".join(passage.text for passage in evidence)
    if not pattern.search(whole):
        return None
    # The first wrong option in a cyclic order from the gold: spread over letters, without a draw.
    letters = [letter for letter in item.options if letter != item.cannot]
    place = letters.index(item.gold[0])
    for letter in letters[place + 1 :] + letters[:place]:
        wrong = item.options[letter]
        if _standing(wrong).search(whole) or gold.lower() in wrong.lower() or wrong.lower() in gold.lower():
            continue
        altered = tuple(_replaced(passage, pattern, wrong) for passage in evidence)
        return Altered(item=item.model_copy(update={"gold": (letter,)}), evidence=altered)
    return None


def alter(item: ExamItem, exam: Exam) -> Altered | None:
    """The item with altered evidence: as its exam wrote it, else by replacement; nothing where neither is possible."""
    written = exam.alteration.get(item.id)
    evidence = [exam.by_id[name] for name in item.evidence]
    if written is None:
        return _by_replacement(item, evidence)
    stand_ins = {passage.id: passage for passage in written.passages}
    return Altered(
        item=item.model_copy(update={"gold": written.gold}),
        evidence=tuple(stand_ins.get(passage.id, passage) for passage in evidence),
    )
