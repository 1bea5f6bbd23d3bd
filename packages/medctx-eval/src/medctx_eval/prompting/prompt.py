"""Prompts as token ids: the Book first, the question last, rendered with the model's own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Protocol

from medctx.errors import MedctxError
from medctx.schemas.records import Book, ExamItem, Form, Mode
from medctx.text.continuation import continuation_tokens, user_message
from medctx_eval.engines.protocol import GenerationRequest, LikelihoodRequest
from medctx_eval.extract.thoughts import opened_thought
from medctx_eval.prompting.option_order import ShownOptions, show

FORMS: dict[Mode, tuple[Form, ...]] = {
    "text": ("text",),
    "text-raw": ("text",),
    "text-prior": ("text", "prior"),
    "letter": ("letter",),
    "generate": ("generate",),
    "choice": ("choice",),
}
"""The forms in which a question is asked for each scoring mode."""
ORDERED: frozenset[Mode] = frozenset({"letter", "generate", "choice"})
"""Modes whose prompt lists the options, so that their order can matter."""

MAX_OPTIONS_MULTIPLE = 6
"""Most options of a multiple-answer item: every subset of them is scored as a possible answer."""
LETTER_SEPARATOR = ", "
CONTENT_FREE = "N/A"
"""The message of the prior form, which holds no question."""
CHOICE_TOKENS = 96
"""Token limit of an answer constrained to choices: JSON with as much white space as servers were seen to put in."""
_PLACEHOLDER = "\N{WHITE SQUARE}"

_INSTRUCTION = {
    "en": "Answer with the letter of the right option.",
    "zh": "请用正确选项的字母作答。",
}
_INSTRUCTION_MULTIPLE = {
    "en": "Several options may be right. Answer with the letters of all right options.",
    "zh": "可能有多个正确选项，请用所有正确选项的字母作答。",
}


class Tokenizer(Protocol):
    """What prompts need of a tokenizer; transformers' fast tokenizers satisfy it."""

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool = True, add_generation_prompt: bool = False
    ) -> object:
        """Render messages as the model was trained to read them; a string if ``tokenize`` is false."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the token ids of a text."""
        ...


def listed_question(item: ExamItem, options: Mapping[str, str]) -> str:
    """The question, its options by letter, and how to answer."""
    lines = "\n".join(f"{letter}. {text}" for letter, text in options.items())
    instructions = _INSTRUCTION_MULTIPLE if item.multiple else _INSTRUCTION
    return f"{item.question}\n{lines}\n{instructions.get(item.language, instructions['en'])}"


def possible_answers(item: ExamItem) -> list[tuple[str, ...]]:
    """Every possible answer as a tuple of letters: single options, or all subsets of a multiple-answer item.

    Raises:
        MedctxError: If a multiple-answer item has more than ``MAX_OPTIONS_MULTIPLE`` options.
    """
    letters = tuple(item.options)
    if not item.multiple:
        return [(letter,) for letter in letters]
    if len(letters) > MAX_OPTIONS_MULTIPLE:
        raise MedctxError(
            f"Item {item.id!r} of {item.exam} allows several answers among {len(letters)} options, which makes "
            f"{2 ** len(letters) - 1} possible answers; remove the item, at most {MAX_OPTIONS_MULTIPLE} options can be "
            "scored."
        )
    return [subset for size in range(1, len(letters) + 1) for subset in combinations(letters, size)]


def render_prompt(tokenizer: Tokenizer, content: str) -> str:
    """Render one user message, followed by the opening of the assistant's answer."""
    messages = [{"role": "user", "content": content}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _answer_ending(tokenizer: Tokenizer) -> str:
    """What the template puts after an answer."""
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PLACEHOLDER}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False)).rpartition(_PLACEHOLDER)[2]


def likelihood_request(
    tokenizer: Tokenizer, rendered: str, texts: Sequence[str], ending: str = ""
) -> LikelihoodRequest:
    """Tokenise a rendered prompt and each text that continues it, up to the first token of ``ending``.

    See ``medctx.text.continuation.continuation_tokens``.
    """
    return LikelihoodRequest(*continuation_tokens(tokenizer, rendered, texts, ending))


def _answers_request(tokenizer: Tokenizer, content: str, item: ExamItem, texts: Sequence[str]) -> LikelihoodRequest:
    """A request whose continuations are ``texts``, one per possible answer.

    The continuations of a multiple-answer item include the end of the answer: without it, "A" would always be at least
    as likely as "A, C".
    """
    ending = _answer_ending(tokenizer) if item.multiple else ""
    request = likelihood_request(tokenizer, render_prompt(tokenizer, content), texts, ending)
    return replace(request, message=content, texts=tuple(texts))


def _option_texts(item: ExamItem) -> list[str]:
    return ["; ".join(item.options[letter] for letter in letters) for letters in possible_answers(item)]


def text_request(tokenizer: Tokenizer, book: Book, item: ExamItem) -> LikelihoodRequest:
    """Ask the question without its options; the continuations are the texts of ``possible_answers``."""
    return _answers_request(tokenizer, user_message(book, item.question), item, _option_texts(item))


def prior_request(tokenizer: Tokenizer, item: ExamItem) -> LikelihoodRequest:
    """Ask no question at all; the continuations are the options' texts, which gives their unconditional likelihood.

    Holtzman et al. (2021), EMNLP, section 3 (a premise without the question), with the content-free text of Zhao et al.
    (2021), ICML, section 4.
    """
    return _answers_request(tokenizer, CONTENT_FREE, item, _option_texts(item))


def _shown_letters(item: ExamItem, shown: ShownOptions) -> list[str]:
    return [LETTER_SEPARATOR.join(shown.to_shown(letters)) for letters in possible_answers(item)]


def letter_request(tokenizer: Tokenizer, book: Book, item: ExamItem, order: int = 0) -> LikelihoodRequest:
    """Ask with the options listed in an order; the continuations are the letters of ``possible_answers``."""
    shown = show(item, order)
    content = user_message(book, listed_question(item, shown.options))
    return _answers_request(tokenizer, content, item, _shown_letters(item, shown))


def generation_request(
    tokenizer: Tokenizer, book: Book, item: ExamItem, order: int, max_tokens: int, *, constrained: bool = False
) -> GenerationRequest:
    """Ask with the options listed in an order; the model writes its answer.

    Args:
        tokenizer: The model's tokenizer.
        book: What stands before the question.
        item: The question.
        order: By how many places the options are rotated.
        max_tokens: The most tokens of a free answer.
        constrained: Whether the answer is limited to the letters of an answer.

    Returns:
        The request.
    """
    shown = show(item, order)
    content = user_message(book, listed_question(item, shown.options))
    rendered = render_prompt(tokenizer, content)
    prompt = tuple(tokenizer.encode(rendered, add_special_tokens=False))
    if not constrained:
        return GenerationRequest(prompt, content, max_tokens, opening=opened_thought(rendered))
    return GenerationRequest(prompt, content, CHOICE_TOKENS, tuple(_shown_letters(item, shown)))
