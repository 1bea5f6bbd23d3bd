"""Estimates what an exam costs before anything is asked."""

from __future__ import annotations

from typing import Literal

from medctx.process.cpu import has_no_accelerator
from medctx.schemas.exam_run import ExamCard, PlannedPart
from medctx.schemas.records import Record
from medctx.text.continuation import shared_prefix
from medctx_eval.engines.protocol import GenerationRequest, LikelihoodRequest
from medctx_eval.planning.plan import ExamPlan, parts_of
from medctx_eval.planning.requests import RequestBuilder

# Measured on two cores with SmolLM2-135M (DECISIONS.md): what an adapter adds to a request over merged weights, and
# what merging an adapter and restarting the server costs.
ADAPTER_COST_S = 0.5
MERGE_AND_RESTART_S = 60.0

TOKENS_PER_S = {"cpu": 900.0, "gpu": 20_000.0}
"""Prefill rates behind the expected time: a 135M model on two cores, measured; a 7B model on a GPU, assumed."""
EXAMPLE_CHARS = 400


class ExamEstimate(Record):
    """The size of an exam for one model.

    Attributes:
        items: Items under all Conditions.
        questions: Requests about items that fit.
        requests: HTTP requests.
        books: Distinct Books.
        book_tokens: Tokens of all Books.
        unique_tokens: Tokens to compute if every Book is computed once.
        longest: Length of the longest request.
        positions: Longest sequence that the model accepts; 0: unknown until the server is asked.
        does_not_fit: Requests longer than ``positions``.
        unalterable: By exam, items left out of ``counterfactual``.
        expected_seconds: Expected time at ``at_tokens_per_second``.
        at_tokens_per_second: Assumed prefill rate.
        adapters: Cheapest way to serve an adapter.
        parts: Size of every Condition of every exam.
        cards: The exams.
        examples: One prompt by kind of Condition and form, in the chat template if known, shortened in the middle.
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
    parts: tuple[PlannedPart, ...]
    cards: tuple[ExamCard, ...]
    examples: dict[str, str]


def adapter_serving(items: int) -> Literal["hot", "merged"]:
    """The cheaper way to serve an adapter for this many items: on a CPU, merging pays off for large exams."""
    return "merged" if has_no_accelerator() and items * ADAPTER_COST_S > MERGE_AND_RESTART_S else "hot"


def _http_requests(request: LikelihoodRequest | GenerationRequest) -> int:
    """One for the prompt, and one for what follows it."""
    return 1 + (isinstance(request, LikelihoodRequest) and any(len(option) > 1 for option in request.continuations))


def _tokens(request: LikelihoodRequest | GenerationRequest) -> int:
    """Tokens to compute: a shared beginning of options counts once, the last token of an option not at all."""
    if isinstance(request, LikelihoodRequest):
        beginnings = {option[:end] for option in request.continuations for end in range(1, len(option))}
        return len(request.prompt) + len(beginnings)
    return request.length


def _shortened(text: str) -> str:
    half = EXAMPLE_CHARS // 2
    if len(text) <= EXAMPLE_CHARS:
        return text
    return f"{text[:half]} ... ({len(text) - EXAMPLE_CHARS:,} characters left out) ... {text[-half:]}"


def estimate_exam(plan: ExamPlan, builder: RequestBuilder, positions: int) -> ExamEstimate:
    """Render and count every prompt of a plan."""
    questions, http_requests, unique, longest, misfits = 0, 0, 0, 0, 0
    examples: dict[str, str] = {}
    for batch in plan.batches:
        if batch.book is None:
            misfits += len(batch.items)
            continue
        requests = []
        for planned in batch.items:
            for item_request in builder.requests(planned, batch.book):
                name = f"{planned.condition.kind}, {item_request.form}"
                if name not in examples:
                    examples[name] = _shortened(builder.rendered(item_request.request.message))
                if positions and item_request.length >= positions:
                    misfits += 1
                else:
                    requests.append(item_request.request)
                longest = max(longest, item_request.length)
        questions += len(requests)
        shared = shared_prefix([request.prompt for request in requests]) if requests else 0
        http_requests += sum(map(_http_requests, requests)) + (len(requests) > 1)
        unique += shared + sum(_tokens(request) - shared for request in requests)
    rate = TOKENS_PER_S["cpu" if has_no_accelerator() else "gpu"]
    return ExamEstimate(
        items=len(plan.planned_items),
        questions=questions,
        requests=http_requests,
        books=len(plan.books),
        book_tokens=sum(book.tokens for book in plan.books.values()),
        unique_tokens=unique,
        longest=longest,
        positions=positions,
        does_not_fit=misfits,
        unalterable=plan.unalterable,
        expected_seconds=round(unique / rate, 1),
        at_tokens_per_second=rate,
        adapters=adapter_serving(len(plan.planned_items)),
        parts=tuple(parts_of(plan)),
        cards=tuple(exam.card for exam in plan.exams),
        examples=examples,
    )
