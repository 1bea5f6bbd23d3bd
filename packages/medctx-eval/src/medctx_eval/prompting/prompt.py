"""Prompts as token ids: the Book first, the question last, through the model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Protocol

from medctx.errors import MedctxError
from medctx.schemas.records import Book, ExamItem
from medctx.text.continuation import continuation_tokens, user_message
from medctx_eval.extract.thoughts import opened_thought
from medctx_eval.planning.option_order import Shown, show
from medctx_eval.prompting import wording

MOST_OPTIONS = 6
"""Of items with several right options: every set of options is a possible answer."""


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
class LikelihoodRequest:
    """A prompt and what may follow it; the engine returns the log-likelihood of every token of each continuation.

    ``content`` is the message the prompt was rendered from and ``texts`` what follows it, for servers that take no
    token ids.
    """

    prompt: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]
    content: str = ""
    texts: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Positions the longest of its sequences takes."""
        return len(self.prompt) + max(map(len, self.continuations))


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A prompt to be continued freely: as token ids, and as the message it was rendered from, for servers that render
    by themselves. At most ``limit`` tokens are written, and where ``choices`` are given nothing but one of them.
    ``opening`` is the begin of a thought with which the prompt ends; it belongs to the text that continues the prompt.
    """

    prompt: tuple[int, ...]
    content: str
    limit: int
    choices: tuple[str, ...] = ()
    opening: str = ""

    @property
    def longest(self) -> int:
        """Positions it can take."""
        return len(self.prompt) + self.limit


def answers(item: ExamItem) -> list[tuple[str, ...]]:
    """Every possible answer as a set of letters: one option, or any of them where several may be right."""
    letters = tuple(item.options)
    if not item.multiple:
        return [(letter,) for letter in letters]
    if len(letters) > MOST_OPTIONS:
        raise MedctxError(
            f"Item {item.id!r} of {item.exam} lets several of {len(letters)} options be right, which makes "
            f"{2 ** len(letters) - 1} possible answers; leave it out, at most {MOST_OPTIONS} options can be scored."
        )
    return [chosen for size in range(1, len(letters) + 1) for chosen in combinations(letters, size)]


def _rendered(tokenizer: Tokenizer, content: str) -> str:
    messages = [{"role": "user", "content": content}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _ending(tokenizer: Tokenizer) -> str:
    """What the template puts after an answer."""
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": wording.MARK}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False)).rpartition(wording.MARK)[2]


def ask(tokenizer: Tokenizer, rendered: str, texts: Sequence[str], ending: str = "") -> LikelihoodRequest:
    """Token ids of a rendered prompt and of each answer as it continues it, up to the first token of ``ending``.

    See :func:`medctx.text.continuation.continuation_tokens`.
    """
    return LikelihoodRequest(*continuation_tokens(tokenizer, rendered, texts, ending))


def _ask_answers(tokenizer: Tokenizer, content: str, item: ExamItem, joined: Sequence[str]) -> LikelihoodRequest:
    """Ask with every possible answer as a continuation; sets of several sizes are comparable when they end."""
    ending = _ending(tokenizer) if item.multiple else ""
    found = ask(tokenizer, _rendered(tokenizer, content), joined, ending)
    return replace(found, content=content, texts=tuple(joined))


def _texts(item: ExamItem) -> list[str]:
    return ["; ".join(item.options[letter] for letter in chosen) for chosen in answers(item)]


def text_request(tokenizer: Tokenizer, book: Book, item: ExamItem) -> LikelihoodRequest:
    """Ask the question alone; the continuations are the texts of :func:`answers`."""
    return _ask_answers(tokenizer, user_message(book, item.question), item, _texts(item))


def prior_ask(tokenizer: Tokenizer, item: ExamItem) -> LikelihoodRequest:
    """The options' texts after no question at all: how likely they are by themselves.

    Holtzman et al. (2021), EMNLP, section 3 (a premise without the question), with the content-free text of Zhao et al.
    (2021), ICML, section 4.
    """
    return _ask_answers(tokenizer, wording.CONTENT_FREE, item, _texts(item))


def _letters(item: ExamItem, shown: Shown) -> list[str]:
    return [wording.JOINT.join(shown.forth(chosen)) for chosen in answers(item)]


def letter_ask(tokenizer: Tokenizer, book: Book, item: ExamItem, order: int = 0) -> LikelihoodRequest:
    """Ask with the options listed in an order; the continuations are the letters shown for :func:`answers`."""
    shown = show(item, order)
    content = user_message(book, wording.listed(item, shown.options))
    return _ask_answers(tokenizer, content, item, _letters(item, shown))


def writing(
    tokenizer: Tokenizer, book: Book, item: ExamItem, order: int, limit: int, *, held: bool = False
) -> GenerationRequest:
    """Ask with the options listed in an order and let the model write; ``held`` to the letters of an answer."""
    shown = show(item, order)
    content = user_message(book, wording.listed(item, shown.options))
    rendered = _rendered(tokenizer, content)
    prompt = tuple(tokenizer.encode(rendered, add_special_tokens=False))
    if not held:
        return GenerationRequest(prompt, content, limit, opening=opened_thought(rendered))
    return GenerationRequest(prompt, content, wording.CHOICE_TOKENS, tuple(_letters(item, shown)))
