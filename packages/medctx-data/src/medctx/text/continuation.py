"""Token ids of a question and its possible answers: one rule for all code that scores the texts of answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, count
from operator import ne
from typing import Protocol

from medctx.schemas.records import Book

_CLOSING_CHARS = 200
"""Characters at the end of a rendered prompt among which its last special token is looked for."""


class Encoder(Protocol):
    """The part of a tokenizer that is needed."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the token ids of a text."""
        ...


def user_message(book: Book, question: str) -> str:
    """Return the user message: the Book, then the question."""
    return f"{book.text}\n\n{question}" if book.text else question


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the number of leading tokens that two sequences share."""
    different = compress(count(), map(ne, first, second))
    return next(different, min(len(first), len(second)))


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return the number of leading tokens that all prompts share: the Book and what the template puts before it."""
    return min((common_prefix(prompts[0], other) for other in prompts), default=0)


def _closing_mark(tokenizer: Encoder, rendered: str) -> int:
    """Return where the last special token near the end of a rendered prompt begins, 0 if there is none."""
    added = getattr(tokenizer, "added_tokens_encoder", {})
    start = max(0, len(rendered) - _CLOSING_CHARS)
    return max((rendered.rfind(mark, start) for mark in added if mark in rendered[start:]), default=0)


def _encode_all(tokenizer: Encoder, rendered: str, prompt: Sequence[int], texts: Sequence[str]) -> list[list[int]]:
    """Encode a rendered prompt followed by each text, the part before its last special token only once.

    Tokenizers split a text at special tokens first, so what follows one is encoded by itself. A long Book would
    otherwise be encoded again for every answer.
    """
    cut = _closing_mark(tokenizer, rendered)
    if cut:
        closing = tokenizer.encode(rendered[cut:], add_special_tokens=False)
        head = list(prompt[: len(prompt) - len(closing)])
        if [*head, *closing] == list(prompt):
            return [[*head, *tokenizer.encode(rendered[cut:] + text, add_special_tokens=False)] for text in texts]
    return [tokenizer.encode(rendered + text, add_special_tokens=False) for text in texts]


def continuation_tokens(
    tokenizer: Encoder, rendered: str, texts: Sequence[str], ending: str = ""
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Return the token ids of a rendered prompt and of each answer that continues it.

    Args:
        tokenizer: The tokenizer.
        rendered: The prompt.
        texts: The answers.
        ending: Text after an answer, of which the first token is scored too.

    Returns:
        The prompt's token ids, and those of each answer. If an answer's first characters merge with the prompt's last
        ones into one token, the prompt ends before that token for all answers: all are scored from the same place.
    """
    prompt = tokenizer.encode(rendered, add_special_tokens=False)
    spare = max(0, len(tokenizer.encode(ending, add_special_tokens=False)) - 1) if ending else 0
    wholes = _encode_all(tokenizer, rendered, prompt, [text + ending for text in texts])
    wholes = [whole[: len(whole) - spare] for whole in wholes]
    shared = min([len(prompt), *(common_prefix(prompt, whole) for whole in wholes)])
    return tuple(prompt[:shared]), tuple(tuple(whole[shared:]) for whole in wholes)
