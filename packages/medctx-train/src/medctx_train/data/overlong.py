"""Dialogues longer than a row: refused, dropped, or split between exchanges; never truncated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Turn
from medctx_train.data.config import TooLong
from medctx_train.data.tokenize import EncodedSample, encode

if TYPE_CHECKING:
    from medctx.text.json_tokenizer import ChatTokenizer


@dataclass(frozen=True, slots=True)
class FittedDialogue:
    """The samples of one Dialogue, none of them longer than a row.

    Attributes:
        samples: The samples; empty if the Dialogue was dropped.
        parts: Number of parts it was split into; 1 if it is whole.
        unrolled: True if every answer became a sample because the chat template rewrites earlier turns.
    """

    samples: tuple[EncodedSample, ...]
    parts: int = 1
    unrolled: bool = False


def split_exchanges(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], list[tuple[Turn, ...]]]:
    """Return the turns before the first user turn, and the exchanges; one begins at every user turn after an answer."""
    first_user = next((number for number, turn in enumerate(turns) if turn.role == "user"), len(turns))
    starts = [
        number
        for number, (previous, turn) in enumerate(pairwise(turns), start=1)
        if number > first_user and turn.role == "user" and previous.role == "assistant"
    ]
    edges = [first_user, *starts, len(turns)]
    return tuple(turns[:first_user]), [tuple(turns[begin:end]) for begin, end in pairwise(edges) if end > begin]


def _fits(samples: Sequence[EncodedSample], limit: int) -> bool:
    return all(len(sample.ids) <= limit for sample in samples)


def _refusal(dialogue: Dialogue, samples: Sequence[EncodedSample], limit: int, remedy: str) -> MedctxError:
    longest = max(len(sample.ids) for sample in samples)
    return MedctxError(
        f"Dialogue {dialogue.id!r} of source {dialogue.source!r} has {longest:,} tokens, more than the "
        f"limit of {limit:,} (row_tokens); {remedy}."
    )


def _split(tokenizer: ChatTokenizer, dialogue: Dialogue, limit: int) -> list[tuple[EncodedSample, ...]]:
    """Return the samples of each part; a part takes as many whole exchanges as fit, in order."""
    head, exchanges = split_exchanges(dialogue.turns)
    parts: list[tuple[EncodedSample, ...]] = []
    current: tuple[Turn, ...] = ()
    samples: tuple[EncodedSample, ...] = ()

    def encode_part(turns: tuple[Turn, ...]) -> tuple[EncodedSample, ...]:
        changes = {"id": f"{dialogue.id}/part-{len(parts) + 1}", "turns": (*head, *turns)}
        return encode(tokenizer, dialogue.model_copy(update=changes))

    for exchange in exchanges:
        longer = encode_part((*current, *exchange))
        if current and not _fits(longer, limit):
            parts.append(samples)
            current, longer = (), encode_part(exchange)
        if not _fits(longer, limit):
            remedy = (
                "one of its exchanges alone does not fit, so it cannot be split: raise row_tokens or set too_long=drop"
            )
            raise _refusal(dialogue, longer, limit, remedy)
        current, samples = (*current, *exchange), longer
    return [*parts, samples]


def fit_to_row(tokenizer: ChatTokenizer, dialogue: Dialogue, row_tokens: int, too_long: TooLong) -> FittedDialogue:
    """Encode one Dialogue so that no sample has more than ``row_tokens`` tokens; see ``TooLong``."""
    samples = encode(tokenizer, dialogue)
    unrolled = samples[0].id != dialogue.id
    if _fits(samples, row_tokens):
        return FittedDialogue(samples, unrolled=unrolled)
    if too_long == "refuse":
        raise _refusal(dialogue, samples, row_tokens, "raise row_tokens, or set too_long=drop or too_long=split")
    if too_long == "drop":
        return FittedDialogue((), unrolled=unrolled)
    parts = _split(tokenizer, dialogue, row_tokens)
    return FittedDialogue(tuple(sample for part in parts for sample in part), parts=len(parts), unrolled=unrolled)
