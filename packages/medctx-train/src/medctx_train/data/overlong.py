"""Dialogues longer than a row: refused, left out or split at turns, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Turn
from medctx_train.data.tokenize import Encoded, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TooLong = Literal["refuse", "drop", "split"]
"""What becomes of a Dialogue with more tokens than a row: the run is refused, the Dialogue is left out, or it is split
between exchanges (a user's turn and the answers to it) into parts that fit, each opened by the system turn if there is
one. A part does not see the exchanges before it; a single exchange that does not fit is refused even then."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The samples one Dialogue gives (none: it was dropped), the parts it was split into (1: whole), and whether its
    answers became samples of their own because the chat template rewrites earlier turns.
    """

    samples: tuple[Encoded, ...]
    parts: int = 1
    unrolled: bool = False


def exchanges(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], list[tuple[Turn, ...]]]:
    """The turns before the first user's (the system's), and the rest cut before every user turn after an answer."""
    begin = next((n for n, turn in enumerate(turns) if turn.role == "user"), len(turns))
    cuts = [n for n, (last, turn) in enumerate(pairwise(turns), start=1) if n > begin and _begins(last, turn)]
    edges = [begin, *cuts, len(turns)]
    return tuple(turns[:begin]), [tuple(turns[a:b]) for a, b in pairwise(edges) if b > a]


def _begins(last: Turn, turn: Turn) -> bool:
    return turn.role == "user" and last.role == "assistant"


def _fits(samples: Sequence[Encoded], limit: int) -> bool:
    return all(len(sample.ids) <= limit for sample in samples)


def _refusal(dialogue: Dialogue, samples: Sequence[Encoded], limit: int, remedy: str) -> MedctxError:
    longest = max(len(sample.ids) for sample in samples)
    return MedctxError(
        f"Dialogue {dialogue.id!r} of source {dialogue.source!r} has {longest:,} tokens, more than the "
        f"limit of {limit:,} (row_tokens); {remedy}."
    )


def _split(tokenizer: PreTrainedTokenizerBase, dialogue: Dialogue, limit: int) -> list[tuple[Encoded, ...]]:
    """The samples of each part: as many whole exchanges as fit, in order."""
    head, rest = exchanges(dialogue.turns)
    parts: list[tuple[Encoded, ...]] = []
    held: tuple[Turn, ...] = ()
    samples: tuple[Encoded, ...] = ()

    def part(turns: tuple[Turn, ...]) -> tuple[Encoded, ...]:
        changed = {"id": f"{dialogue.id}/part-{len(parts) + 1}", "turns": (*head, *turns)}
        return encode(tokenizer, dialogue.model_copy(update=changed))

    for exchange in rest:
        longer = part((*held, *exchange))
        if held and not _fits(longer, limit):
            parts.append(samples)
            held, longer = (), part(exchange)
        if not _fits(longer, limit):
            remedy = (
                "one exchange of it alone does not fit, so it cannot be split: raise row_tokens or set too_long=drop"
            )
            raise _refusal(dialogue, longer, limit, remedy)
        held, samples = (*held, *exchange), longer
    return [*parts, samples]


def fit(tokenizer: PreTrainedTokenizerBase, dialogue: Dialogue, limit: int, rule: TooLong) -> Fitted:
    """Encode one Dialogue so that no sample has more than ``limit`` tokens, by ``rule``; see :data:`TooLong`."""
    samples = encode(tokenizer, dialogue)
    unrolled = samples[0].id != dialogue.id
    if _fits(samples, limit):
        return Fitted(samples, unrolled=unrolled)
    if rule == "refuse":
        raise _refusal(dialogue, samples, limit, "raise row_tokens, or set too_long=drop or too_long=split")
    if rule == "drop":
        return Fitted((), unrolled=unrolled)
    parts = _split(tokenizer, dialogue, limit)
    return Fitted(tuple(sample for part in parts for sample in part), parts=len(parts), unrolled=unrolled)
