"""Log-likelihood per token of the possible answers to questions, under the model that is being trained.

The scoring is that of the exam's ``text`` mode (``medctx.text.continuation.continuation_tokens``). The tokens that
questions share (their Book) are processed once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from medctx.schemas.probe_item import ProbeItem
from medctx.schemas.records import Turn
from medctx.text.continuation import continuation_tokens, shared_prefix, user_message
from medctx.text.rendering import render

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache

    from medctx.text.json_tokenizer import ChatTokenizer

ANSWERS_PER_PASS = 8
"""Answers scored in one forward pass; each holds a copy of the Book's keys and values."""
QUESTIONS_PER_GROUP = 8
"""Questions without a Book that share one pass over the beginning of the template."""


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """The possible answers to questions on one Book.

    Attributes:
        prefix: Token ids that all sequences begin with.
        rows: For each answer, the rest of the prompt followed by the answer.
        sizes: For each row, the number of tokens of the answer, at its end.
    """

    prefix: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]


def _answer_group(tokenizer: ChatTokenizer, items: Sequence[ProbeItem]) -> AnswerGroup:
    encoded = []
    for probe_item in items:
        turn = Turn(role="user", content=user_message(probe_item.book, probe_item.item.question))
        prompt_text = render(tokenizer, [turn], ask=True)
        encoded.append(continuation_tokens(tokenizer, prompt_text, list(probe_item.item.options.values())))
    # One token of the shared part stays in the rows, so that every row has a token to predict its first one from.
    shared = max(0, shared_prefix([prompt for prompt, _ in encoded]) - 1)
    rows = [(prompt[shared:] + answer, len(answer)) for prompt, answers in encoded for answer in answers]
    return AnswerGroup(encoded[0][0][:shared], tuple(row for row, _ in rows), tuple(size for _, size in rows))


def answer_groups(tokenizer: ChatTokenizer, items: Sequence[ProbeItem]) -> list[AnswerGroup]:
    """Group items in their order; neighbours on one Book share a group."""
    groups = []
    for _, same_book in groupby(items, key=lambda probe_item: probe_item.book.id):
        questions = list(same_book)
        groups += [
            _answer_group(tokenizer, questions[begin : begin + QUESTIONS_PER_GROUP])
            for begin in range(0, len(questions), QUESTIONS_PER_GROUP)
        ]
    return groups


def _passes(group: AnswerGroup) -> Iterator[slice]:
    for begin in range(0, len(group.rows), ANSWERS_PER_PASS):
        yield slice(begin, begin + ANSWERS_PER_PASS)


def _prefill(model: torch.nn.Module, prefix: Sequence[int], device: torch.device) -> DynamicCache:
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    if prefix:
        ids = torch.tensor([list(prefix)], device=device)
        model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def mean_logprobs(model: torch.nn.Module, group: AnswerGroup, device: torch.device) -> list[float]:
    """Return the natural-log likelihood per token of every answer of a group, in order.

    Call this without gradients and with the model in evaluation mode.
    """
    import torch

    cache, results = _prefill(model, group.prefix, device), list[float]()
    for part in _passes(group):
        rows, sizes = group.rows[part], group.sizes[part]
        longest = max(map(len, rows))
        # Padding on the right: causal attention never reaches it from the tokens that are scored.
        ids = torch.tensor([list(row) + [0] * (longest - len(row)) for row in rows], device=device)
        row_cache = copy.deepcopy(cache)
        if group.prefix:
            row_cache.batch_repeat_interleave(len(rows))
        positions = torch.arange(len(group.prefix), len(group.prefix) + longest, device=device)
        logits = model(
            input_ids=ids, position_ids=positions.expand(len(rows), -1), past_key_values=row_cache, use_cache=True
        ).logits
        logprobs = torch.log_softmax(logits.float(), dim=-1)
        for number, (row, size) in enumerate(zip(rows, sizes, strict=True)):
            predicted_at = torch.arange(len(row) - size - 1, len(row) - 1, device=device)
            answer = torch.tensor(row[-size:], device=device)
            results.append(float(logprobs[number, predicted_at, answer].mean()))
    return results
