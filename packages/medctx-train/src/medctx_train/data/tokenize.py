"""Dialogues as token ids, with a mask of the tokens that carry loss, through the model's own chat template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Turn
from medctx.text.rendering import encode_turns, render

if TYPE_CHECKING:
    from medctx.text.json_tokenizer import ChatTokenizer


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """One training sample.

    Attributes:
        id: The Dialogue's id, with a suffix if the Dialogue became several samples.
        source: The Dialogue's source.
        ids: Token ids.
        carries_loss: For each token, True if the model is trained to produce it; as long as ``ids``.
    """

    id: str
    source: str
    ids: tuple[int, ...]
    carries_loss: tuple[bool, ...]

    @property
    def loss_tokens(self) -> int:
        """Number of tokens that carry loss; the first token of a sample has no prediction and never does."""
        return sum(self.carries_loss[1:])


@dataclass(frozen=True, slots=True)
class RenderedText:
    """A text as the model reads it, its turns, and the character spans ``[start, end)`` of the trained answers."""

    text: str
    turns: tuple[Turn, ...]
    spans: tuple[tuple[int, int], ...]


def _trained_answers(dialogue: Dialogue) -> list[int]:
    """The positions of the answers that are trained on."""
    return [
        position
        for position, turn in enumerate(dialogue.turns)
        if turn.role == "assistant" and position not in dialogue.without_loss
    ]


def _render_whole(tokenizer: ChatTokenizer, dialogue: Dialogue) -> RenderedText | None:
    """Return the Dialogue as one text, or None if the template rewrites a turn once other turns follow it."""
    turns = dialogue.turns
    whole = render(tokenizer, turns, ask=False)
    spans = []
    for position in _trained_answers(dialogue):
        prompt = render(tokenizer, turns[:position], ask=True)
        answered = render(tokenizer, turns[: position + 1], ask=False)
        if not (answered.startswith(prompt) and whole.startswith(answered)):
            return None
        spans.append((len(prompt), len(answered)))
    return RenderedText(whole, turns, tuple(spans))


def render_samples(tokenizer: ChatTokenizer, dialogue: Dialogue) -> tuple[RenderedText, ...]:
    """Render the texts a Dialogue is trained on: one text, or one per answer if the template rewrites earlier turns.

    The span of an answer starts at the end of the generation prompt and includes the turn's closing marker, which is
    what a server would have the model write. A template that drops the reasoning of earlier turns (Qwen3) shows no
    answer but the last as it was written, so every answer becomes a text of its own after the prompt a server would
    send.

    Args:
        tokenizer: Tokenizer with a chat template.
        dialogue: The Dialogue to render.

    Returns:
        The texts with the spans of their answers.

    Raises:
        MedctxError: If the template writes an answer that does not begin with its own generation prompt.
    """
    whole = _render_whole(tokenizer, dialogue)
    if whole is not None:
        return (whole,)
    texts = []
    for position in _trained_answers(dialogue):
        prompt = render(tokenizer, dialogue.turns[:position], ask=True)
        answered = render(tokenizer, dialogue.turns[: position + 1], ask=False)
        if not answered.startswith(prompt):
            raise MedctxError(
                f"The chat template of {tokenizer.name_or_path} does not write the answers of Dialogue {dialogue.id!r} "
                "after its generation prompt, so they cannot be told apart from the prompt; choose a base whose "
                "template does, or give it a training template."
            )
        texts.append(RenderedText(answered, dialogue.turns[: position + 1], ((len(prompt), len(answered)),)))
    return tuple(texts)


def encode(tokenizer: ChatTokenizer, dialogue: Dialogue) -> tuple[EncodedSample, ...]:
    """Encode one Dialogue; a token carries loss if it begins inside a trained answer (see ``render_samples``).

    Control tokens within the turns' texts are encoded as plain text.
    """
    texts = render_samples(tokenizer, dialogue)
    samples = []
    for number, text in enumerate(texts, start=1):
        encoded = encode_turns(tokenizer, text.text, text.turns)
        token_starts = [start for start, _ in encoded.offsets]
        mask = tuple(any(begin <= start < end for begin, end in text.spans) for start in token_starts)
        sample_id = dialogue.id if len(texts) == 1 else f"{dialogue.id}/answer-{number}"
        samples.append(EncodedSample(id=sample_id, source=dialogue.source, ids=tuple(encoded.ids), carries_loss=mask))
    return tuple(samples)
