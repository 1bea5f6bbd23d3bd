"""Token counts of Dialogues, a few at a time and no more than a mix asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from medctx.records import Dialogue
from medctx.tokenizer import render
from medctx_data.portion import Draw, Weighed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 64

Counter = Callable[[Sequence[Dialogue]], list[int]]


def counter(tokenizer: PreTrainedTokenizerBase) -> Counter:
    """A function from Dialogues to their lengths in tokens as the chat template renders them, at least 1 each."""

    def count(dialogues: Sequence[Dialogue]) -> list[int]:
        texts = [render(tokenizer, dialogue.turns, ask=False) for dialogue in dialogues]
        # verbose=False: a Dialogue longer than the model's positions is dropped here, no warning needed.
        encoded = tokenizer(texts, add_special_tokens=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    return count


def weigh(draws: Iterator[Draw[Dialogue]], count: Counter) -> Iterator[Weighed[Dialogue]]:
    """Add lengths to draws, :data:`CHUNK` at a time: at most one chunk too many is counted."""
    while chunk := list(islice(draws, CHUNK)):
        for draw, tokens in zip(chunk, count([draw.row for draw in chunk]), strict=True):
            yield Weighed(draw.row, draw.epoch, tokens)
