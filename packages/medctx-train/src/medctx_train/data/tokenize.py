"""Dialogues as token ids with a mask of which tokens carry loss, through the model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Turn
from medctx.text.tokenizer import render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sample: ``ids`` and, for each, whether the model is trained to produce it. Same length."""

    id: str
    source: str
    ids: tuple[int, ...]
    carries_loss: tuple[bool, ...]

    @property
    def loss_tokens(self) -> int:
        """Tokens that carry loss; the first token of a sequence is predicted by nothing."""
        return sum(self.carries_loss[1:])


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as the model reads it and the character span of every answer the model is trained on."""

    text: str
    spans: tuple[tuple[int, int], ...]


def _answers(turns: Sequence[Turn]) -> list[int]:
    return [position for position, turn in enumerate(turns) if turn.role == "assistant"]


def _whole(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> Rendered | None:
    """The Dialogue as one text, or None where the template writes a turn differently once others follow it."""
    whole = render(tokenizer, turns, ask=False)
    spans = []
    for position in _answers(turns):
        asked = render(tokenizer, turns[:position], ask=True)
        answered = render(tokenizer, turns[: position + 1], ask=False)
        if not (answered.startswith(asked) and whole.startswith(answered)):
            return None
        spans.append((len(asked), len(answered)))
    return Rendered(whole, tuple(spans))


def rendered(tokenizer: PreTrainedTokenizerBase, dialogue: Dialogue) -> tuple[Rendered, ...]:
    """The texts a Dialogue is trained on: one, or one per answer where the chat template rewrites earlier turns.

    The span of an answer runs from the end of the prompt the model is asked with to the end of the turn, its closing
    marker included: what a server would have it write. Where a template drops the reasoning of earlier turns
    (Qwen3), no single text shows every answer as it was written, so each answer becomes a text of its own, after
    exactly the prompt that a server would send. A template whose answers do not begin with that prompt is refused.
    """
    whole = _whole(tokenizer, dialogue.turns)
    if whole is not None:
        return (whole,)
    texts = []
    for position in _answers(dialogue.turns):
        asked = render(tokenizer, dialogue.turns[:position], ask=True)
        answered = render(tokenizer, dialogue.turns[: position + 1], ask=False)
        if not answered.startswith(asked):
            raise MedctxError(
                f"The chat template of {tokenizer.name_or_path} writes the answers of Dialogue {dialogue.id!r} "
                "otherwise than after the prompt it asks with, so they cannot be told apart from it; choose a base "
                "whose template does, or give it a training template."
            )
        texts.append(Rendered(answered, ((len(asked), len(answered)),)))
    return tuple(texts)


def encode(tokenizer: PreTrainedTokenizerBase, dialogue: Dialogue) -> tuple[Encoded, ...]:
    """The samples of one Dialogue, see :func:`rendered`; only tokens that begin inside an answer carry loss."""
    texts = rendered(tokenizer, dialogue)
    samples = []
    for number, one in enumerate(texts, start=1):
        encoding = tokenizer(one.text, add_special_tokens=False, return_offsets_mapping=True)
        begins = [begin for begin, _ in encoding["offset_mapping"]]
        mask = tuple(any(start <= begin < end for start, end in one.spans) for begin in begins)
        name = dialogue.id if len(texts) == 1 else f"{dialogue.id}/answer-{number}"
        samples.append(Encoded(id=name, source=dialogue.source, ids=tuple(encoding["input_ids"]), carries_loss=mask))
    return tuple(samples)
