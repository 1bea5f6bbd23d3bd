"""How a question with possible answers becomes token ids: one rule for every program that scores answers' texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, count
from operator import ne
from typing import Protocol

from medctx.schemas.records import Book


class Encoder(Protocol):
    """What is needed of a tokenizer."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text."""
        ...


def message(book: Book, question: str) -> str:
    """The user message: the Book, then the question."""
    return f"{book.text}\n\n{question}" if book.text else question


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """Leading tokens that two sequences share."""
    different = compress(count(), map(ne, first, second))
    return next(different, min(len(first), len(second)))


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Leading tokens that all prompts have in common: the Book and what the template puts before it."""
    return min((common(prompts[0], other) for other in prompts), default=0)


def continued(
    tokenizer: Encoder, rendered: str, texts: Sequence[str], ending: str = ""
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Token ids of a rendered prompt, and of each answer as it continues it, up to the first token of ``ending``.

    Where an answer's first characters merge with the prompt's last ones into another token, the prompt ends before
    that token for all answers, so that all are scored from the same place.
    """
    prompt = tokenizer.encode(rendered, add_special_tokens=False)
    spare = max(0, len(tokenizer.encode(ending, add_special_tokens=False)) - 1) if ending else 0
    wholes = [tokenizer.encode(rendered + text + ending, add_special_tokens=False) for text in texts]
    wholes = [whole[: len(whole) - spare] for whole in wholes]
    shared = min([len(prompt), *(common(prompt, whole) for whole in wholes)])
    return tuple(prompt[:shared]), tuple(tuple(whole[shared:]) for whole in wholes)
