"""How long Dialogues are in tokens, and where their answers and the evidence of them lie."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from medctx.schemas.records import Dialogue
from medctx.text.tokenizer import render
from medctx_data.long_context.wording import evidence

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 64


class Span(NamedTuple):
    """Tokens from ``begin`` up to but without ``end``."""

    begin: int
    end: int


class Measured(NamedTuple):
    """A Dialogue's length in tokens, and where its answers and the evidence of them lie.

    Evidence is that in a Book; a Dialogue without one has its last answer as evidence. Both are None where the Dialogue
    is not longer than was asked, or its turns cannot be found in what the chat template makes of them.
    """

    source: str
    tokens: int
    evidence: tuple[Span, ...] | None = None
    answers: tuple[Span, ...] | None = None


def _characters(text: str, dialogue: Dialogue) -> list[tuple[int, int]] | None:
    """Where each turn's content stands in the rendered ``text``; templates may strip it."""
    found, at = [], 0
    for turn in dialogue.turns:
        content = turn.content if text.find(turn.content, at) >= 0 else turn.content.strip()
        begin = text.find(content, at)
        if begin < 0:
            return None
        at = begin + len(content)
        found.append((begin, at))
    return found


def _evidence(dialogue: Dialogue, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where the evidence stands in the rendered text."""
    first = next(at for at, turn in enumerate(dialogue.turns) if turn.role == "user")
    content = dialogue.turns[first].content
    begin, end = places[first]
    shift = begin - (len(content) - len(content.lstrip()) if end - begin < len(content) else 0)
    return [(shift + start, shift + stop) for start, stop in evidence(dialogue)] or [places[-1]]


def _spans(offsets: Sequence[tuple[int, int]], places: Iterable[tuple[int, int]]) -> tuple[Span, ...]:
    """Places in characters as spans of tokens that touch them."""
    found = []
    for begin, end in places:
        first = bisect_right(offsets, begin, key=lambda offset: offset[1])
        last = bisect_left(offsets, end, key=lambda offset: offset[0])
        if first < last:
            found.append(Span(first, last))
    return tuple(found)


def _measured(dialogue: Dialogue, text: str, offsets: Sequence[tuple[int, int]], longest: int) -> Measured:
    places = _characters(text, dialogue) if len(offsets) > longest else None
    if places is None:
        return Measured(dialogue.source, len(offsets))
    answered = [place for place, turn in zip(places, dialogue.turns, strict=True) if turn.role == "assistant"]
    evident = _spans(offsets, _evidence(dialogue, places))
    return Measured(dialogue.source, len(offsets), evident, _spans(offsets, answered))


def measure(dialogues: Iterable[Dialogue], tokenizer: PreTrainedTokenizerBase, longest: int) -> Iterator[Measured]:
    """Dialogues as the chat template renders them; those of more than ``longest`` tokens with the places in them."""
    stream = iter(dialogues)
    while chunk := list(islice(stream, CHUNK)):
        texts = [render(tokenizer, dialogue.turns, ask=False) for dialogue in chunk]
        encoded = tokenizer(texts, add_special_tokens=False, verbose=False, return_offsets_mapping=True)
        for dialogue, text, offsets in zip(chunk, texts, encoded["offset_mapping"], strict=True):
            yield _measured(dialogue, text, offsets, longest)
