"""What an exam would cost, said before anything is asked."""

from __future__ import annotations

from typing import Literal

from medctx.process.cpu import has_no_accelerator
from medctx.schemas.records import Record
from medctx.text.continuation import shared_prefix
from medctx_eval.engines.likelihood import wanted_tokens
from medctx_eval.planning.requests import RequestBuilder
from medctx_eval.prompting.prompt import GenerationRequest, LikelihoodRequest
from medctx_eval.run.exam_plan import ExamPlan

# Measured on two cores with SmolLM2-135M (DECISIONS.md): what an adapter adds to a question over merged weights, and
# what merging an adapter and starting a server anew costs.
ADAPTER_COST_S = 0.5
MERGE_AND_RESTART_S = 60.0


TOKENS_PER_S = {"cpu": 900.0, "gpu": 20_000.0}
"""What the expected time rests on: prefill of a 135M model on two cores, measured; of a 7B model on a GPU, a guess."""
SHOWN_CHARS = 400


class Estimate(Record):
    """Counts of an exam for one model. ``unique_tokens``: every Book once and every question's own tokens once.

    ``unalterable``: items left out of ``counterfactual``, by exam. ``does_not_fit`` counts questions longer than
    ``positions`` (0: not known before the server is asked); ``examples`` are messages by kind of Condition and form,
    before the template is put around them, long ones without their middle.
    """

    items: int
    questions: int
    requests: int
    books: int
    book_tokens: int
    unique_tokens: int
    longest: int
    positions: int
    does_not_fit: int
    unalterable: dict[str, int]
    expected_seconds: float
    at_tokens_per_second: float
    adapters: Literal["hot", "merged"]
    examples: dict[str, str]


def adapters_as(items: int) -> Literal["hot", "merged"]:
    """How to serve an adapter for so many items: on a CPU merged weights win once enough is asked."""
    return "merged" if has_no_accelerator() and items * ADAPTER_COST_S > MERGE_AND_RESTART_S else "hot"


def _requests(asked: LikelihoodRequest | GenerationRequest) -> int:
    """The prompt's own, and one more for what follows it."""
    return 1 + (isinstance(asked, LikelihoodRequest) and len(wanted_tokens(asked)) > 1)


def _own(asked: LikelihoodRequest | GenerationRequest) -> int:
    return len(asked.prompt) + (
        sum(map(len, asked.continuations)) if isinstance(asked, LikelihoodRequest) else asked.limit
    )


def _shown(text: str) -> str:
    half = SHOWN_CHARS // 2
    if len(text) <= SHOWN_CHARS:
        return text
    return f"{text[:half]} ... ({len(text) - SHOWN_CHARS:,} characters left out) ... {text[-half:]}"


def estimate(exam_plan: ExamPlan, request_builder: RequestBuilder, positions: int) -> Estimate:
    """Render and count every prompt."""
    questions, requests, unique, longest, misfits = 0, 0, 0, 0, 0
    examples: dict[str, str] = {}
    for batch in exam_plan.batches:
        if batch.book is None:
            misfits += len(batch.planned_items)
            continue
        asked = []
        for planned_item in batch.planned_items:
            for question in request_builder.questions(planned_item, batch.book):
                examples.setdefault(f"{planned_item.condition.kind}, {question.form}", _shown(question.asked.content))
                if positions and question.longest >= positions:
                    misfits += 1
                else:
                    asked.append(question.asked)
                longest = max(longest, question.longest)
        questions += len(asked)
        shared = shared_prefix([one.prompt for one in asked]) if asked else 0
        requests += sum(map(_requests, asked)) + (len(asked) > 1)
        unique += shared + sum(_own(one) - shared for one in asked)
    rate = TOKENS_PER_S["cpu" if has_no_accelerator() else "gpu"]
    return Estimate(
        items=len(exam_plan.planned_items),
        questions=questions,
        requests=requests,
        books=len(exam_plan.books),
        book_tokens=sum(book.tokens for book in exam_plan.books.values()),
        unique_tokens=unique,
        longest=longest,
        positions=positions,
        does_not_fit=misfits,
        unalterable=exam_plan.unalterable,
        expected_seconds=round(unique / rate, 1),
        at_tokens_per_second=rate,
        adapters=adapters_as(len(exam_plan.planned_items)),
        examples=examples,
    )
