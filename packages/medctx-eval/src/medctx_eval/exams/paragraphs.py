"""Narrows the evidence of an exam from whole sections to the paragraph that supports the right option.

A question at the end of a section names the section as its evidence, which is longer than a small model can read. The
paragraph is found by overlap: paragraphs are ranked by BM25 (Robertson and Zaragoza 2009, The Probabilistic Relevance
Framework) for the words of the question and, weighted twice, of the right option. Overlap is not proof. An item keeps
its evidence only if its paragraph holds most of the right option's words, weighted by their rarity in the section.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.exam import Exam, seal_exam

LEAST_WORDS = 40
"""Shorter lines, such as headings and rows of tables, are joined with what follows."""
LEAST_SUPPORT = 0.6
UNSUPPORTED = "no paragraph supports the right option, so asked closed only"

_SATURATION, _LENGTH_WEIGHT = 1.2, 0.75
"""k1 and b of BM25, at their customary values."""
_KEY_WEIGHT = 2.0
_STEM_LENGTH = 6
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_COMMON = frozenset(
    "a about all also an and are as at be because been between both but by called can could did do does during each "
    "following for from had has have how if in into is it its may might more most not of on one only or other than "
    "that the their them then there these they this those to used was were what when where which who why will with "
    "would you your".split()
)


def _words(text: str) -> list[str]:
    """Words without common ones, cut to their first letters so that forms of a word are alike."""
    words = (word for word in _WORD.findall(text.lower()) if word not in _COMMON)
    # A lone digit or letter says nothing about a paragraph: "3" occurs in "3-D" and in "step 3".
    return [word[:_STEM_LENGTH] for word in words if len(word) > 1 or not word.isascii()]


def _length(lines: Sequence[str]) -> int:
    return sum(len(_WORD.findall(line)) for line in lines if not line.startswith("#"))


def paragraphs_of(text: str) -> list[str]:
    """Split a text at line breaks into paragraphs of at least ``LEAST_WORDS`` words.

    Args:
        text: A section, with one paragraph, list entry or row of a table per line, and headings that begin with ``#``.

    Returns:
        The paragraphs in order, each with the headings above it; a short rest belongs to the last one.
    """
    finished: list[list[str]] = []
    current: list[str] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        current.append(line)
        if _length(current) >= LEAST_WORDS:
            finished.append(current)
            current = []
    if current and finished:
        finished[-1] += current
    elif current:
        finished.append(current)
    return ["\n".join(lines) for lines in finished]


@dataclass(frozen=True)
class _Section:
    """The paragraphs of a section, and how rare each word is among them."""

    passages: tuple[Passage, ...]

    @cached_property
    def counts(self) -> list[Counter[str]]:
        """Words of each paragraph with their number."""
        return [Counter(_words(passage.text)) for passage in self.passages]

    @cached_property
    def rarity(self) -> Mapping[str, float]:
        """Inverse document frequency of each word, never negative."""
        holding = Counter(word for counts in self.counts for word in counts)
        total = len(self.counts)
        return {word: log(1 + (total - number + 0.5) / (number + 0.5)) for word, number in holding.items()}

    @cached_property
    def mean_length(self) -> float:
        """Words of a paragraph, on average."""
        return sum(counts.total() for counts in self.counts) / len(self.counts)

    def _score(self, words: set[str], counts: Counter[str]) -> float:
        relative_length = counts.total() / max(self.mean_length, 1)
        damping = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * relative_length)
        return sum(
            self.rarity.get(word, 0) * counts[word] * (_SATURATION + 1) / (counts[word] + damping) for word in words
        )

    def support(self, key: set[str], place: int) -> float:
        """Share of the right option's words that a paragraph holds, weighted by rarity; 0 without any word."""
        unseen = log(1 + 2 * (len(self.counts) + 0.5))
        weights = {word: self.rarity.get(word, unseen) for word in key}
        held = sum(weight for word, weight in weights.items() if word in self.counts[place])
        return held / sum(weights.values()) if sum(weights.values()) else 0.0

    def best(self, question: set[str], key: set[str]) -> int:
        """The place of the paragraph with the highest score, of equal ones the first."""
        scores = [
            _KEY_WEIGHT * self._score(key, counts) + self._score(question - key, counts) for counts in self.counts
        ]
        return scores.index(max(scores))


def _split(passage: Passage) -> tuple[Passage, ...]:
    texts = paragraphs_of(passage.text)
    if len(texts) < 2:
        return (passage,)
    # A Passage that names itself among its facts would keep its own paragraphs from being distractors.
    facts = tuple(name for name in passage.facts if name != passage.id)
    return tuple(
        passage.model_copy(update={"id": f"{passage.id}#{number}", "text": text, "facts": facts})
        for number, text in enumerate(texts)
    )


def _narrowed(item: ExamItem, section: _Section) -> ExamItem:
    """The item with one paragraph as evidence and the others of its section as rivals, or without any evidence."""
    key = set(_words(" ".join(item.options[letter] for letter in item.gold)))
    place = section.best(set(_words(item.question)), key)
    if section.support(key, place) < LEAST_SUPPORT:
        return item.model_copy(update={"evidence": (), "rivals": ()})
    rivals = tuple(passage.id for number, passage in enumerate(section.passages) if number != place)
    return item.model_copy(update={"evidence": (section.passages[place].id,), "rivals": rivals})


def _is_narrowed(exam: Exam, item: ExamItem) -> bool:
    altered = item.id in exam.alteration_of or item.id in exam.omission_of
    return len(item.evidence) == 1 and bool(item.gold) and not altered


def _items(exam: Exam, sections: Mapping[str, _Section]) -> Iterator[ExamItem]:
    for item in exam.items:
        if _is_narrowed(exam, item):
            yield _narrowed(item, sections[item.evidence[0]])
        else:
            rivals = (passage.id for name in item.rivals for passage in sections[name].passages)
            yield item.model_copy(update={"rivals": tuple(rivals)})


def narrow_evidence(exam: Exam) -> Exam:
    """Narrow the evidence of every item to the paragraph that supports its right option.

    The other paragraphs of the section are the first distractors of its Books, in reading order, unless the section's
    facts exclude them. Items with altered or omitted evidence, with several Passages of evidence or without any keep
    their evidence.

    Args:
        exam: The exam, whose Passages are whole sections.

    Returns:
        The exam with paragraphs as Passages. Items that no paragraph supports have no evidence and are counted in the
        card.
    """
    whole = {name for item in exam.items if not _is_narrowed(exam, item) for name in item.evidence}
    sections = {
        passage.id: _Section((passage,) if passage.id in whole else _split(passage)) for passage in exam.passages
    }
    items = list(_items(exam, sections))
    lost = sum(bool(before.evidence) and not after.evidence for before, after in zip(exam.items, items, strict=True))
    card = exam.card.model_copy(update={"dropped": exam.card.dropped | ({UNSUPPORTED: lost} if lost else {})})
    passages = [passage for section in sections.values() for passage in section.passages]
    return seal_exam(card, items, passages, exam.alterations, exam.omissions)
