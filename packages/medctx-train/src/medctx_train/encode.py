"""Dialogues as token ids with a mask of which tokens carry loss, through the model's own chat template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.records import Dialogue
from medctx.tokenizer import render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Encoded:
    """One Dialogue: ``ids`` and, for each, whether the model is trained to produce it. Same length."""

    id: str
    source: str
    ids: tuple[int, ...]
    carries_loss: tuple[bool, ...]

    @property
    def loss_tokens(self) -> int:
        """Tokens that carry loss; the first token of a sequence is predicted by nothing."""
        return sum(self.carries_loss[1:])


def answer_spans(tokenizer: PreTrainedTokenizerBase, dialogue: Dialogue) -> tuple[str, list[tuple[int, int]]]:
    """The rendered Dialogue and the character span of every answer, its closing marker included.

    A span runs from the end of the generation prompt to the end of the turn. Templates that rewrite earlier turns
    (dropping their reasoning, say) give no such spans and are refused.
    """
    turns = dialogue.turns
    whole = render(tokenizer, turns, ask=False)
    spans = []
    for position, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        asked = render(tokenizer, turns[:position], ask=True)
        answered = render(tokenizer, turns[: position + 1], ask=False)
        if not (whole.startswith(asked) and whole.startswith(answered)):
            raise MedctxError(
                f"The chat template of {tokenizer.name_or_path} rewrites earlier turns, so the answers of the "
                f"multi-turn Dialogue {dialogue.id!r} cannot be told apart; use single-turn Dialogues with it."
            )
        spans.append((len(asked), len(answered)))
    return whole, spans


def encode(tokenizer: PreTrainedTokenizerBase, dialogue: Dialogue) -> Encoded:
    """Encode one Dialogue; only tokens that begin inside an answer carry loss."""
    text, spans = answer_spans(tokenizer, dialogue)
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    mask = tuple(any(start <= begin < end for start, end in spans) for begin, _ in encoding["offset_mapping"])
    return Encoded(id=dialogue.id, source=dialogue.source, ids=tuple(encoding["input_ids"]), carries_loss=mask)


def encode_all(tokenizer: PreTrainedTokenizerBase, dialogues: Iterable[Dialogue], max_tokens: int) -> Iterator[Encoded]:
    """Encode Dialogues in order; one longer than ``max_tokens`` is an error, nothing is cut."""
    for dialogue in dialogues:
        encoded = encode(tokenizer, dialogue)
        if len(encoded.ids) > max_tokens:
            raise MedctxError(
                f"Dialogue {dialogue.id!r} of source {dialogue.source!r} has {len(encoded.ids)} tokens, more than the "
                f"limit of {max_tokens}; raise max_tokens or leave it out of the mix."
            )
        yield encoded
