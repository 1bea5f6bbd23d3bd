"""Items under Conditions that change which option is right: evidence removed, and evidence altered."""

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
"""Options that judge a statement. The evidence may contain such a word anywhere, with another meaning."""


class AlteredItem(Record):
    """An item whose ``gold`` is what its altered ``evidence`` says."""

    item: ExamItem
    evidence: tuple[Passage, ...]


def offer_cannot(item: ExamItem) -> ExamItem:
    """Add an option that the question cannot be answered, unless the item has one."""
    if item.cannot:
        return item
    letter = next(letter for letter in LETTERS if letter not in item.options)
    text = CANNOT.get(item.language, CANNOT["en"])
    return item.model_copy(update={"options": {**item.options, letter: text}, "cannot": letter})


def without_evidence(item: ExamItem) -> ExamItem:
    """The item without its evidence: only "cannot be answered" is right."""
    with_cannot = offer_cannot(item)
    return with_cannot.model_copy(update={"gold": (with_cannot.cannot,)})


def _whole_words(text: str) -> re.Pattern[str]:
    """Match the text as whole words in any case; Chinese has no word boundaries."""
    edge = r"\b" if text.isascii() and text[:1].isalnum() and text[-1:].isalnum() else ""
    return re.compile(edge + re.escape(text) + edge, re.IGNORECASE)


def _match_case(replaced: str, text: str) -> str:
    """Begin ``text`` with a lower-case letter if what it replaces does."""
    lower = replaced[:1].islower() and text[1:2].islower()
    return text[:1].lower() + text[1:] if lower else text


def _replace(passage: Passage, pattern: re.Pattern[str], text: str) -> Passage:
    return passage.model_copy(update={"text": pattern.sub(lambda match: _match_case(match[0], text), passage.text)})


def _alter_by_replacement(item: ExamItem, evidence: Sequence[Passage]) -> AlteredItem | None:
    """Replace the gold option's text by a wrong option's wherever it occurs in the evidence.

    Requires that the evidence contains the gold text word for word and the wrong text nowhere; otherwise the altered
    text would contradict itself or say nothing new.
    """
    gold = item.options[item.gold[0]]
    if item.multiple or item.gold == (item.cannot,) or gold.strip(" .。").lower() in _JUDGEMENTS:
        return None
    pattern = _whole_words(gold)
    whole = "\n".join(passage.text for passage in evidence)
    if not pattern.search(whole):
        return None
    # The first wrong option after the gold one, cyclically: this spreads the new gold over the letters.
    letters = [letter for letter in item.options if letter != item.cannot]
    place = letters.index(item.gold[0])
    for letter in letters[place + 1 :] + letters[:place]:
        wrong = item.options[letter]
        if _whole_words(wrong).search(whole) or gold.lower() in wrong.lower() or wrong.lower() in gold.lower():
            continue
        altered = tuple(_replace(passage, pattern, wrong) for passage in evidence)
        return AlteredItem(item=item.model_copy(update={"gold": (letter,)}), evidence=altered)
    return None


def alter(item: ExamItem, exam: Exam) -> AlteredItem | None:
    """The item with altered evidence: the exam's own alteration, else by replacement; None if neither is possible."""
    alteration = exam.alteration_of.get(item.id)
    evidence = [exam.by_id[name] for name in item.shown]
    if alteration is None:
        return _alter_by_replacement(item, evidence)
    replacements = {passage.id: passage for passage in alteration.passages}
    return AlteredItem(
        item=item.model_copy(update={"gold": alteration.gold}),
        evidence=tuple(replacements.get(passage.id, passage) for passage in evidence),
    )
