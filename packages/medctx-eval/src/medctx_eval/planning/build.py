"""Builds the exam plan of a run from its exams."""

from __future__ import annotations

from collections.abc import Sequence

from medctx_eval.exams.condition import parse
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.counterfactual import offer_cannot
from medctx_eval.exams.exam import Exam
from medctx_eval.planning.batches import batches
from medctx_eval.planning.groups import count_unalterable
from medctx_eval.planning.plan import BookBatch, ExamPlan
from medctx_eval.prompting.prompt import Tokenizer

_CACHED_CHARS = 20_000


class CachedTokenCounter:
    """Counts the tokens of texts; counts of Passages, which occur in many Books, are cached."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._counts: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Return the number of tokens."""
        count = self._counts.get(text)
        if count is None:
            count = len(self._tokenizer.encode(text, add_special_tokens=False))
            if len(text) <= _CACHED_CHARS:
                self._counts[text] = count
        return count


def _with_cannot(exam: Exam) -> Exam:
    return exam.model_copy(update={"items": tuple(offer_cannot(item) for item in exam.items)})


def build_plan(configs: Sequence[ExamConfig], exams: Sequence[Exam], tokenizer: Tokenizer, seed: int) -> ExamPlan:
    """Plan exams under the Conditions of their configs.

    Args:
        configs: How each exam is asked.
        exams: The exams, one per config.
        tokenizer: Measures the length of Books.
        seed: Seed of the order of distractors.

    Returns:
        The plan, which is the same for every model with this tokenizer.
    """
    count = CachedTokenCounter(tokenizer)
    planned: list[BookBatch] = []
    names: dict[str, None] = {}
    unalterable: dict[str, int] = {}
    asked_exams = []
    for config, exam in zip(configs, exams, strict=True):
        asked_exams.append(_with_cannot(exam) if config.offer_cannot else exam)
        conditions = [parse(text) for text in config.conditions]
        planned += batches(asked_exams[-1], conditions, count, depths=config.depths, limits=config.limits, seed=seed)
        names |= dict.fromkeys(config.conditions)
        if any(condition.kind == "counterfactual" for condition in conditions):
            unalterable[exam.card.name] = count_unalterable(exam)
    return ExamPlan(exams=tuple(asked_exams), batches=tuple(planned), conditions=tuple(names), unalterable=unalterable)
