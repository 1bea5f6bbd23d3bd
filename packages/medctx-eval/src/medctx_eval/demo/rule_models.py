"""Models by rule: each reads a prompt as a person would and has its own idea of an answer.

They see what any model sees, the prompt, and know the exam's facts by heart as a well-trained model might; only
the oracle always uses both well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from medctx.schemas.records import ExamItem
from medctx_eval.exams.counterfactual import CANNOT
from medctx_eval.exams.exam import Exam

FORGETS_FROM = 1_000
"""Characters of a Book up to which the forgetful model remembers everything; of a Book twice as long, half."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt taken apart: the Book before the question, the item asked, and the options listed (none where the
    question stands alone).
    """

    book: str
    item: ExamItem
    options: Mapping[str, str]


RuleModel = Callable[[Prompt], str]
"""The text of the option it gives, or what else it says."""


def _listed(lines: Sequence[str]) -> dict[str, str]:
    """``A. text`` lines directly after the question."""
    parts = [(line[:1], line[3:]) for line in lines if line[1:3] == ". " and line[:1].isupper()]
    return dict(parts)


class Reader:
    """Takes prompts apart and answers as a mind would. The exam's questions must differ from each other."""

    def __init__(self, exam: Exam, rule_models: Mapping[str, RuleModel]) -> None:
        self._by_question = {item.question: item for item in exam.items}
        self._told = {item.id: _telling(exam, item) for item in exam.items}
        self.rule_models = dict(rule_models)

    def parse(self, content: str) -> Prompt | None:
        """The parts of a message; nothing where no question of the exam stands in it."""
        lines = content.split("\n")
        for place in range(len(lines) - 1, -1, -1):
            item = self._by_question.get(lines[place])
            if item is not None:
                return Prompt("\n".join(lines[:place]).strip(), item, _listed(lines[place + 1 :]))
        return None

    def told(self, prompt: Prompt) -> str:
        """What the Book says is right, "" where it says nothing of the question."""
        before, after = self._told[prompt.item.id]
        _, found, rest = prompt.book.partition(before)
        return rest.partition(after)[0] if found else ""

    def answer(self, model: str, content: str) -> str:
        """What a model says to a message: the letter shown where options are listed, else the text."""
        prompt = self.parse(content)
        if prompt is None:
            return "I see."
        said = self.rule_models[model](prompt)
        letters = [letter for letter, text in prompt.options.items() if text == said]
        return letters[0] if letters else said


def _telling(exam: Exam, item: ExamItem) -> tuple[str, str]:
    """What stands before and after the answer in the item's evidence."""
    text = exam.by_id[item.evidence[0]].text
    answer = item.options[item.gold[0]]
    before, _, after = text.partition(answer)
    return before.rpartition(". ")[2], after[:1]


def _chance(prompt: Prompt, *salt: object) -> float:
    """A number in [0, 1) that depends on the question and the Book alone."""
    key = f"{prompt.item.id}-{prompt.book}-{salt}"
    return int(hashlib.sha256(key.encode()).hexdigest()[:12], 16) / 16**12


def _texts(prompt: Prompt) -> list[str]:
    return list(prompt.options.values() or prompt.item.options.values())


def rule_models(reader_of: Callable[[Prompt], str]) -> dict[str, RuleModel]:
    """The built-in models; ``reader_of`` gives what the Book of a prompt says."""

    def oracle(prompt: Prompt) -> str:
        """Believes the page, says so when the page is silent, and knows by heart when there is no page."""
        if not prompt.book:
            return prompt.item.options[prompt.item.gold[0]]
        return reader_of(prompt) or CANNOT[prompt.item.language]

    def contrary(prompt: Prompt) -> str:
        """Knows as well, and gives another option."""
        right = oracle(prompt)
        return next(text for text in _texts(prompt) if text != right)

    def mumbling(prompt: Prompt) -> str:
        """Never comes to an answer."""
        return "Well, that is an interesting question, and there is much to be said about it from several sides."

    def always_a(prompt: Prompt) -> str:
        """The first option, whatever it says."""
        return _texts(prompt)[0]

    def forgetful(prompt: Prompt) -> str:
        """The oracle on short Books; the longer the Book, the less of it is remembered."""
        remembers = FORGETS_FROM / max(len(prompt.book), 1)
        return oracle(prompt) if _chance(prompt, "remember") < remembers else contrary(prompt)

    return {
        "oracle": oracle,
        "contrary": contrary,
        "mumbling": mumbling,
        "always-a": always_a,
        "forgetful": forgetful,
    }


def reader(exam: Exam) -> Reader:
    """A Reader of the exam with the built-in minds."""
    found = Reader(exam, {})
    found.rule_models.update(rule_models(found.told))
    return found
