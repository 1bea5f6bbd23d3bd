"""What an exam is said to take before it is run."""

from __future__ import annotations

import pytest

from study.config.study import Section
from study.forecast.exam_cost import EVIDENCE_TOKENS, QUESTION_TOKENS, ExamCost, exam_cost, longest

ITEMS = {"cmb-open": 700}


def told(*conditions: str, **keys: object) -> Section:
    exam = {"exam": "cmb-open", "conditions": list(conditions), "depths": 7, "limits": keys.pop("limits", {})}
    return {"mode": "letter", "modes": ["letter"], "exams": [exam], **keys}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("section", "tokens", "sent"),
    [
        (told("closed"), 700 * QUESTION_TOKENS, 700 * QUESTION_TOKENS),
        (told("gold"), 700 * (EVIDENCE_TOKENS + QUESTION_TOKENS), 700 * (EVIDENCE_TOKENS + QUESTION_TOKENS)),
        # Seven depths share a Book: it is computed once for seven questions, and sent to a server with each.
        (told("open:1024"), 100 * 1024 + 700 * QUESTION_TOKENS, 700 * (1024 + QUESTION_TOKENS)),
        (told("open:1024:0.5", orders=2), 100 * 1024 + 1400 * QUESTION_TOKENS, 1400 * (1024 + QUESTION_TOKENS)),
        (told("closed", limits={"closed": 21}), 21 * QUESTION_TOKENS, 21 * QUESTION_TOKENS),
        # The headline's mode is asked once, whether it stands among the modes or not.
        (told("closed", modes=[]), 700 * QUESTION_TOKENS, 700 * QUESTION_TOKENS),
        (told("closed", modes=["letter", "choice"]), 1400 * QUESTION_TOKENS, 1400 * QUESTION_TOKENS),
    ],
)
def test_tokens_of_an_exam(section: Section, tokens: int, sent: int) -> None:
    found = exam_cost(section, ITEMS)
    assert (found.tokens, found.sent, found.written) == (tokens, sent, 0)


def test_only_answers_in_words_are_written() -> None:
    found = exam_cost(told("closed", modes=["letter", "generate"], answer_tokens=64, orders=2), ITEMS)
    assert found.written == 700 * 2 * 64


def test_an_exam_of_unknown_size_costs_nothing_that_is_known() -> None:
    assert exam_cost(told("closed"), {}) == ExamCost()


def test_the_longest_book_leaves_room_for_its_question() -> None:
    assert longest(told("closed", "open:4096", "distractor:8192")) > 8192
    assert longest(told("closed")) < 1024
