"""What an exam would cost, said before anything is asked."""

from __future__ import annotations

from typing import Literal

from medctx.records import Record
from medctx_eval.engines.vllm import on_cpu
from medctx_eval.prompt import shared_prefix
from medctx_eval.runner import Paper

# Measured on two cores with SmolLM2-135M (DECISIONS.md): what an adapter adds to a question over merged weights, and
# what merging an adapter and starting a server anew costs.
ADAPTER_COST_S = 0.5
MERGE_AND_RESTART_S = 60.0


class Estimate(Record):
    """Counts of an exam for one model. ``unique_tokens``: every Book once and every question's own tokens once."""

    items: int
    requests: int
    books: int
    book_tokens: int
    unique_tokens: int
    longest: int
    adapters: Literal["hot", "merged"]


def adapters_as(items: int) -> Literal["hot", "merged"]:
    """How to serve an adapter for so many items: on a CPU merged weights win once enough is asked."""
    return "merged" if on_cpu() and items * ADAPTER_COST_S > MERGE_AND_RESTART_S else "hot"


def estimate(paper: Paper) -> Estimate:
    """Render and count every prompt."""
    requests, unique, longest = 0, 0, 0
    book_tokens = {}
    for sitting in paper.sittings:
        if sitting.book is None:
            continue
        asks = [ask for pair in paper.asks(sitting) for ask in pair]
        shared = shared_prefix(asks)
        requests += len(asks) + (shared > 0)
        unique += shared + sum(len(ask.prompt) - shared + sum(map(len, ask.continuations)) for ask in asks)
        longest = max(longest, *(ask.longest for ask in asks))
        book_tokens[sitting.book.id] = sitting.book.tokens
    items = len(paper.seats)
    return Estimate(
        items=items,
        requests=requests,
        books=paper.books,
        book_tokens=sum(book_tokens.values()),
        unique_tokens=unique,
        longest=longest,
        adapters=adapters_as(items),
    )
