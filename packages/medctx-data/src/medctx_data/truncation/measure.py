"""Lengths of Dialogues in tokens, and the places of their answers and evidence."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from medctx.schemas.records import Dialogue, Turn
from medctx.text.rendering import content_spans, encode_turns, render
from medctx_data.long_context.wording import evidence

if TYPE_CHECKING:
    from medctx.text.json_tokenizer import ChatTokenizer

CHUNK = 64


class Span(NamedTuple):
    """Tokens from ``begin`` up to but without ``end``."""

    begin: int
    end: int


class DialogueSpans(NamedTuple):
    """A Dialogue's length in tokens, and the places of its answers and evidence.

    Evidence is that in a Book; a Dialogue without one has its last answer as evidence. Both are None where the Dialogue
    is not longer than requested.
    """

    source: str
    tokens: int
    evidence: tuple[Span, ...] | None = None
    answers: tuple[Span, ...] | None = None


def _evidence(dialogue: Dialogue, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The place of the evidence in the rendered text."""
    first = next(at for at, turn in enumerate(dialogue.turns) if turn.role == "user")
    content = dialogue.turns[first].content
    begin, end = places[first]
    shift = begin - (len(content) - len(content.lstrip()) if end - begin < len(content) else 0)
    return [(shift + start, shift + stop) for start, stop in evidence(dialogue)] or [places[-1]]


def _spans(offsets: Sequence[tuple[int, int]], places: Iterable[tuple[int, int]]) -> tuple[Span, ...]:
    """Convert ranges of characters to ranges of the tokens that overlap them."""
    spans = []
    for begin, end in places:
        first = bisect_right(offsets, begin, key=lambda offset: offset[1])
        last = bisect_left(offsets, end, key=lambda offset: offset[0])
        if first < last:
            spans.append(Span(first, last))
    return tuple(spans)


def _measured(dialogue: Dialogue, text: str, offsets: Sequence[tuple[int, int]], longest: int) -> DialogueSpans:
    places = content_spans(text, dialogue.turns) if len(offsets) > longest else None
    if places is None or isinstance(places, Turn):
        return DialogueSpans(dialogue.source, len(offsets))
    answered = [place for place, turn in zip(places, dialogue.turns, strict=True) if turn.role == "assistant"]
    evident = _spans(offsets, _evidence(dialogue, places))
    return DialogueSpans(dialogue.source, len(offsets), evident, _spans(offsets, answered))


def measure(dialogues: Iterable[Dialogue], tokenizer: ChatTokenizer, longest: int) -> Iterator[DialogueSpans]:
    """Measure Dialogues as the chat template renders them; locate the parts of those above ``longest`` tokens."""
    stream = iter(dialogues)
    while chunk := list(islice(stream, CHUNK)):
        texts = [render(tokenizer, dialogue.turns, ask=False) for dialogue in chunk]
        for dialogue, text in zip(chunk, texts, strict=True):
            yield _measured(dialogue, text, encode_turns(tokenizer, text, dialogue.turns).offsets, longest)
