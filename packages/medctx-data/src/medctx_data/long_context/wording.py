"""Wording of wrapped Dialogues in English and Chinese, and how to recognise the kind of a wrapped Dialogue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple, get_args

from medctx.schemas.records import Dialogue

Kind = Literal["gold", "quote", "none"]
"""gold: answered from the Book; quote: after a quotation from it; none: the Book lacks the evidence."""


class Words(NamedTuple):
    """Wording in one language: text between Book and question, refusals, and the marks around a quotation."""

    between: Sequence[str]
    refusals: Sequence[str]
    quoting: tuple[str, str]


ENGLISH = Words(
    between=(
        "\n\n",
        "\n\nAnswer from the text above.\n\n",
        "\n\nUse only the text above; where it does not hold the answer, say so.\n\n",
        "\n\nQuestion about the text: ",
    ),
    refusals=(
        "The text does not say.",
        "The text does not answer this.",
        "This is not stated in the text.",
        "The answer is not in the text.",
    ),
    quoting=('The text says: "', '" '),
)
CHINESE = Words(
    between=(
        "\n\n",
        "\n\n请根据上文回答。\n\n",
        "\n\n只根据上文回答\uff0c上文没有答案时请说明。\n\n",
        "\n\n关于上文的问题\uff1a",
    ),
    refusals=("文中没有说明。", "上文没有给出答案。", "文中未提及这一点。", "根据上文无法回答。"),
    quoting=("文中写道\uff1a“", "”\n"),
)
SPOKEN: Mapping[str, Words] = {"zh": CHINESE}

_MARK = "/wrapped-"
_KIND = re.compile(rf"{_MARK}({'|'.join(get_args(Kind))})(?=/|$)")
_SENTENCE = re.compile(r".+?(?:[.!?](?=\s|$)|[\u3002\uff01\uff1f]|$)", re.MULTILINE)
_UNIT = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]{3,}")


def words_of(language: str) -> Words:
    """Return the wording of a language; English where there is none."""
    return SPOKEN.get(language, ENGLISH)


def wrapped_id(name: str, kind: Kind) -> str:
    """Return the id of the wrapped Dialogue made from the one with the id ``name``."""
    return f"{name}{_MARK}{kind}"


def kind_of(dialogue: Dialogue) -> Kind | None:
    """Return the kind of a wrapped Dialogue, None where it was not wrapped."""
    match = _KIND.search(dialogue.id)
    return next((kind for kind in get_args(Kind) if match and kind == match[1]), None)


def _units(text: str) -> set[str]:
    return {unit.casefold() for unit in _UNIT.findall(text)}


def quotation(question: str, answer: str) -> str:
    """Return the sentence of ``answer`` that shares most words with ``question``, the first of equal ones."""
    sentences = [match.strip() for match in _SENTENCE.findall(answer) if match.strip()]
    units = _units(question)
    return max(sentences, key=lambda sentence: len(_units(sentence) & units), default=answer)


def refusal(language: str, rng: Random) -> str:
    """Return one wording of "the text does not say"."""
    return rng.choice(words_of(language).refusals)


def quoted(language: str, question: str, answer: str) -> str:
    """Return the answer after a quotation of its evidence."""
    opening, closing = words_of(language).quoting
    return f"{opening}{quotation(question, answer)}{closing}{answer}"


def _answer(text: str, book: str, quoting: tuple[str, str]) -> str:
    """The answer in a text that may begin with a quotation: the part after a closing mark that occurs in the Book."""
    opening, closing = quoting
    at = text.find(closing) if text.startswith(opening) else -1
    while at >= 0:
        answer = text[at + len(closing) :]
        if answer in book and text[len(opening) : at] in answer:
            return answer
        at = text.find(closing, at + 1)
    return text


def evidence(dialogue: Dialogue) -> list[tuple[int, int]]:
    """Return the span of the evidence of each answer: (begin, end) in characters of the first user turn.

    Empty where there is none: the Dialogue was not wrapped, or its Book lacks the evidence.
    """
    kind = kind_of(dialogue)
    if kind not in {"gold", "quote"}:
        return []
    book = next(turn.content for turn in dialogue.turns if turn.role == "user")
    quoting = words_of(dialogue.language).quoting
    texts = [turn.content for turn in dialogue.turns if turn.role == "assistant"]
    answers = [_answer(text, book, quoting) if kind == "quote" else text for text in texts]
    begins = [book.find(answer) for answer in answers]
    return [(begin, begin + len(answer)) for begin, answer in zip(begins, answers, strict=True) if begin >= 0]
