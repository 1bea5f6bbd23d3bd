"""How likely a model finds the answers to questions: natural-log likelihood per token of each answer's text.

The rule is that of the exam's ``text`` mode (:func:`medctx.text.continuation.continued`); here in the model that is
being trained, where it stands, whatever its attention: what questions share (their Book) is computed once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from medctx.schemas.probe_item import ProbeItem
from medctx.schemas.records import Turn
from medctx.text.continuation import continued, message, shared_prefix
from medctx.text.tokenizer import render

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, PreTrainedTokenizerBase

ROWS = 8
"""Answers scored in one forward pass: each holds a copy of the Book's keys and values."""
TOGETHER = 8
"""Questions without a Book that share a pass over the template's beginning."""


@dataclass(frozen=True, slots=True)
class Group:
    """Questions on one Book, whose sequences all begin with ``prefix``.

    ``rows``: one per answer, what is left of the prompt, then the answer: the last of ``sizes`` tokens.
    """

    prefix: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]


def _group(tokenizer: PreTrainedTokenizerBase, items: Sequence[ProbeItem]) -> Group:
    asked = []
    for one in items:
        turn = Turn(role="user", content=message(one.book, one.item.question))
        asked.append(continued(tokenizer, render(tokenizer, [turn], ask=True), list(one.item.options.values())))
    # One token of the shared part is left over, so that every row has something to read its first token from.
    shared = max(0, shared_prefix([prompt for prompt, _ in asked]) - 1)
    rows = [(prompt[shared:] + answer, len(answer)) for prompt, answers in asked for answer in answers]
    return Group(asked[0][0][:shared], tuple(row for row, _ in rows), tuple(size for _, size in rows))


def groups(tokenizer: PreTrainedTokenizerBase, items: Sequence[ProbeItem]) -> list[Group]:
    """Items in their order, neighbours on one Book together."""
    found = []
    for _, run in groupby(items, key=lambda one: one.book.id):
        several = list(run)
        found += [_group(tokenizer, several[at : at + TOGETHER]) for at in range(0, len(several), TOGETHER)]
    return found


def _passes(group: Group) -> Iterator[slice]:
    for begin in range(0, len(group.rows), ROWS):
        yield slice(begin, begin + ROWS)


def _prefill(model: torch.nn.Module, prefix: Sequence[int], device: torch.device) -> DynamicCache:
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    if prefix:
        ids = torch.tensor([list(prefix)], device=device)
        model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def per_token(model: torch.nn.Module, group: Group, device: torch.device) -> list[float]:
    """Log-likelihood per token of every answer of a group, in order. Call without gradients, in evaluation mode."""
    import torch

    cache, found = _prefill(model, group.prefix, device), list[float]()
    for part in _passes(group):
        rows, sizes = group.rows[part], group.sizes[part]
        longest = max(map(len, rows))
        # Padded on the right, where nothing that counts looks.
        ids = torch.tensor([list(row) + [0] * (longest - len(row)) for row in rows], device=device)
        kept = copy.deepcopy(cache)
        if group.prefix:
            kept.batch_repeat_interleave(len(rows))
        places = torch.arange(len(group.prefix), len(group.prefix) + longest, device=device)
        logits = model(
            input_ids=ids, position_ids=places.expand(len(rows), -1), past_key_values=kept, use_cache=True
        ).logits
        logprobs = torch.log_softmax(logits.float(), dim=-1)
        for place, (row, size) in enumerate(zip(rows, sizes, strict=True)):
            at = torch.arange(len(row) - size - 1, len(row) - 1, device=device)
            answer = torch.tensor(row[-size:], device=device)
            found.append(float(logprobs[place, at, answer].mean()))
    return found
