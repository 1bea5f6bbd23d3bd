"""Rule-based models: each reads the prompt and answers by a fixed rule.

They see only the prompt, as any model does, and know the exam's facts, as a well-trained model might. Only the oracle
always uses both correctly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from medctx.schemas.records import ExamItem
from medctx_eval.exams.counterfactual import CANNOT
from medctx_eval.exams.exam import Exam

FORGETS_FROM = 1_000
"""Length of a Book in characters up to which the forgetful model remembers everything; of twice that, half."""


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """The parts of a prompt: the Book, the item asked, and the options listed (empty if the prompt lists none)."""

    book: str
    item: ExamItem
    options: Mapping[str, str]


RuleModel = Callable[[ParsedPrompt], str]
"""Returns the text of the option it chooses, or another text."""


def _listed(lines: Sequence[str]) -> dict[str, str]:
    """Options in the lines after the question: ``A. text``."""
    parts = [(line[:1], line[3:]) for line in lines if line[1:3] == ". " and line[:1].isupper()]
    return dict(parts)


class RuleReader:
    """Parses prompts and answers by a model's rule. The exam's questions must differ from each other."""

    def __init__(self, exam: Exam, rule_models: Mapping[str, RuleModel]) -> None:
        self._by_question = {item.question: item for item in exam.items}
        self._surroundings = {item.id: _answer_surroundings(exam, item) for item in exam.items}
        self.rule_models = dict(rule_models)

    def parse(self, content: str) -> ParsedPrompt | None:
        """The parts of a message; None if it contains no question of the exam."""
        lines = content.split("\n")
        for place in range(len(lines) - 1, -1, -1):
            item = self._by_question.get(lines[place])
            if item is not None:
                return ParsedPrompt("\n".join(lines[:place]).strip(), item, _listed(lines[place + 1 :]))
        return None

    def stated_answer(self, prompt: ParsedPrompt) -> str:
        """The answer that the Book states; "" if it states none."""
        before, after = self._surroundings[prompt.item.id]
        _, match, rest = prompt.book.partition(before)
        return rest.partition(after)[0] if match else ""

    def answer(self, model: str, content: str) -> str:
        """A model's answer to a message: the letter if the options are listed, else the text."""
        prompt = self.parse(content)
        if prompt is None:
            return "I see."
        answer = self.rule_models[model](prompt)
        letters = [letter for letter, text in prompt.options.items() if text == answer]
        return letters[0] if letters else answer


def _answer_surroundings(exam: Exam, item: ExamItem) -> tuple[str, str]:
    """The text before and after the answer in the item's evidence."""
    text = exam.by_id[item.evidence[0]].text
    answer = item.options[item.gold[0]]
    before, _, after = text.partition(answer)
    return before.rpartition(". ")[2], after[:1]


def _pseudo_random(prompt: ParsedPrompt, *salt: object) -> float:
    """A number in [0, 1) that depends on the question and the Book only."""
    key = f"{prompt.item.id}-{prompt.book}-{salt}"
    return int(hashlib.sha256(key.encode()).hexdigest()[:12], 16) / 16**12


def _texts(prompt: ParsedPrompt) -> list[str]:
    return list(prompt.options.values() or prompt.item.options.values())


def rule_models(reader_of: Callable[[ParsedPrompt], str]) -> dict[str, RuleModel]:
    """The built-in models; ``reader_of`` returns the answer that the Book of a prompt states."""

    def oracle(prompt: ParsedPrompt) -> str:
        """Believes the Book, abstains if the Book does not answer, and knows every answer without a Book."""
        if not prompt.book:
            return prompt.item.options[prompt.item.gold[0]]
        return reader_of(prompt) or CANNOT[prompt.item.language]

    def contrary(prompt: ParsedPrompt) -> str:
        """Knows the oracle's answer and gives another option."""
        right = oracle(prompt)
        return next(text for text in _texts(prompt) if text != right)

    def mumbling(prompt: ParsedPrompt) -> str:
        """Never gives an answer."""
        return "Well, that is an interesting question, and there is much to be said about it from several sides."

    def always_a(prompt: ParsedPrompt) -> str:
        """Always gives the first option."""
        return _texts(prompt)[0]

    def forgetful(prompt: ParsedPrompt) -> str:
        """The oracle on short Books; the longer the Book, the less it remembers."""
        remembers = FORGETS_FROM / max(len(prompt.book), 1)
        return oracle(prompt) if _pseudo_random(prompt, "remember") < remembers else contrary(prompt)

    return {
        "oracle": oracle,
        "contrary": contrary,
        "mumbling": mumbling,
        "always-a": always_a,
        "forgetful": forgetful,
    }


def reader(exam: Exam) -> RuleReader:
    """A Reader of the exam with the built-in models."""
    parser = RuleReader(exam, {})
    parser.rule_models.update(rule_models(parser.stated_answer))
    return parser
