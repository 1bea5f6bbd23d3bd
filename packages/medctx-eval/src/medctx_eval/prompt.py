"""Prompts as token ids: the Book first, the question last, through the model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from medctx.records import Book, ExamItem


class Tokenizer(Protocol):
    """What is needed of a tokenizer; transformers' fast tokenizers have it."""

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool = True, add_generation_prompt: bool = False
    ) -> object:
        """Render messages as the model was trained to read them: a string where ``tokenize`` is false."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt and what may follow it; the engine returns the log-likelihood of every token of each continuation."""

    prompt: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]

    @property
    def longest(self) -> int:
        """Positions the longest of its sequences takes."""
        return len(self.prompt) + max(map(len, self.continuations))


TEXT_INSTRUCTION = "{question}"
LETTER_INSTRUCTION = "{question}\n{options}\nAnswer with the letter of the right option."


def message(book: Book, question: str) -> str:
    """The user message: the Book, then the question."""
    return f"{book.text}\n\n{question}" if book.text else question


def _rendered(tokenizer: Tokenizer, content: str) -> str:
    messages = [{"role": "user", "content": content}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    size = min(len(first), len(second))
    return next((n for n in range(size) if first[n] != second[n]), size)


def ask(tokenizer: Tokenizer, rendered: str, answers: Sequence[str]) -> Ask:
    """Token ids of a rendered prompt and of each answer as it continues it.

    Where an answer's first characters merge with the prompt's last ones into another token, the prompt ends before
    that token for all answers, so that all are scored from the same place.
    """
    prompt = tokenizer.encode(rendered, add_special_tokens=False)
    wholes = [tokenizer.encode(rendered + answer, add_special_tokens=False) for answer in answers]
    shared = min([len(prompt), *(_common(prompt, whole) for whole in wholes)])
    return Ask(tuple(prompt[:shared]), tuple(tuple(whole[shared:]) for whole in wholes))


def text_ask(tokenizer: Tokenizer, book: Book, item: ExamItem) -> Ask:
    """Ask the question alone; the continuations are the options' texts."""
    content = message(book, TEXT_INSTRUCTION.format(question=item.question))
    return ask(tokenizer, _rendered(tokenizer, content), list(item.options.values()))


def letter_ask(tokenizer: Tokenizer, book: Book, item: ExamItem) -> Ask:
    """Ask with the options listed; the continuations are their letters."""
    options = "\n".join(f"{letter}. {text}" for letter, text in item.options.items())
    content = message(book, LETTER_INSTRUCTION.format(question=item.question, options=options))
    return ask(tokenizer, _rendered(tokenizer, content), list(item.options))


def shared_prefix(asks: Sequence[Ask]) -> int:
    """Leading tokens that all prompts have in common: the Book and what the template puts before it."""
    return min((_common(asks[0].prompt, other.prompt) for other in asks), default=0)
