"""Options for questions that were published with a free answer: their answer among those of other questions.

Which options are offered depends on the text alone, so an item is the same in every run. An answer to another question
is often of another kind, so such an item is easier than the published question, and its accuracy is not the published
one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from medctx_eval.exams.schema import LETTERS, NO_GOLD, ExamRow

OFFERED = 4
NOTHING_ELSE = "no other answer to offer"


def offered(name: str, answer: str, others: Iterable[str], count: int = OFFERED) -> tuple[dict[str, str], str] | None:
    """Return options by letter and the letter of the right one; None if there is no other answer.

    Args:
        name: Id of the question, which seeds the draw.
        answer: Its answer.
        others: Answers to other questions; those that are the same, or part of one another, are not offered.
        count: Number of options, at most.
    """
    own = answer.strip().casefold()
    different = {
        text.strip().casefold(): text.strip()
        for text in others
        if text.strip() and text.strip().casefold() not in own and own not in text.strip().casefold()
    }
    if not different:
        return None
    draw = Random(f"options-{name}")
    wrong = draw.sample(sorted(different.values()), min(count - 1, len(different)))
    place = draw.randrange(len(wrong) + 1)
    texts = [*wrong[:place], answer.strip(), *wrong[place:]]
    return dict(zip(LETTERS, texts, strict=False)), LETTERS[place]


class OpenQuestion(NamedTuple):
    """A question that was published without options.

    Attributes:
        id: Its id.
        answer: Its answer, ``""`` without one.
        group: Questions of one group offer each other's answers.
        row: The further columns of its row.
    """

    id: str
    answer: str
    group: str
    row: ExamRow


def with_options(questions: Sequence[OpenQuestion]) -> Iterator[ExamRow | str]:
    """Yield the row of each question with options, or why it has none."""
    answers: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        answers[question.group].append(question.answer)
    for question in questions:
        if not question.answer:
            yield NO_GOLD
            continue
        choice = offered(question.id, question.answer, answers[question.group])
        if choice is None:
            yield NOTHING_ELSE
            continue
        options, letter = choice
        yield {"id": question.id, "options": options, "answer": letter, **question.row}
