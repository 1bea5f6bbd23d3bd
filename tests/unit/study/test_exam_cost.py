"""What an exam is forecast to take before it is run."""

from __future__ import annotations

import pytest

from medctx.schemas.result import CommandResult
from study.config.study import StudyConfig
from study.forecast.exam_cost import QUESTION_TOKENS, exam_cost, exam_memory

SIZES = {"parameters": 1_000, "hidden": 8, "layers": 2, "intermediate": 16, "vocabulary": 32, "positions": 4096}


def config(*conditions: str, **model: object) -> StudyConfig:
    exam = {"exams": [{"exam": "cmb-open", "conditions": list(conditions)}]}
    return StudyConfig.model_validate({"name": "made", "base": "m", "models": {"m": {**SIZES, **model}}, "exam": exam})


def test_the_cost_is_what_the_dry_run_of_the_exam_counts() -> None:
    numbers = {"items": 700.0, "questions": 1400.0, "books": 100.0, "unique_tokens": 9e4}
    cost = exam_cost(CommandResult(numbers=numbers))
    assert (cost.items, cost.questions, cost.books, cost.tokens) == (700, 1400, 100, 90_000)


@pytest.mark.parametrize(
    ("conditions", "tokens"),
    [
        (("closed",), QUESTION_TOKENS),
        (("closed", "open:4096", "distractor:8192"), 8192 + QUESTION_TOKENS),
        (("open:1024:0.5",), 1024 + QUESTION_TOKENS),
        (("open:512-131072", "gold"), 131072 + QUESTION_TOKENS),
        (("open:512-4096:0.5",), 4096 + QUESTION_TOKENS),
    ],
)
def test_memory_grows_with_the_longest_book(conditions: tuple[str, ...], tokens: int) -> None:
    keys_and_values = 2 * 2 * 8 * 2
    empty = exam_memory(config(), "m") - keys_and_values * QUESTION_TOKENS
    assert exam_memory(config(*conditions), "m") - empty == keys_and_values * tokens


def test_a_model_elsewhere_needs_no_memory_here() -> None:
    assert exam_memory(config("closed", urls=["http://localhost:1"]), "m") == 0
