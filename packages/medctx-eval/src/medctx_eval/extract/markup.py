"""Reduces an answer to plain text: one width of characters, no Markdown, LaTeX or HTML, one turn."""
# ruff: noqa: RUF001 - the table below maps look-alike characters on purpose

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from opencc import OpenCC

# Base models often go on with another question, or with another turn of the conversation. What may stand before its
# name is bounded and stays within the line: an answer of punctuation alone is read in linear time.
_NEXT_TURN = re.compile(
    r"<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|\[INST\]"
    r"|\n[^\w\n]{0,40}(?:user|human|question|q|instruction|problem)\W{0,3}\d*\W{0,3}[:：]"
    r"|\n[^\w\n]{0,40}(?:用户|问题|题目|下一题|例题|frage|pregunta|pergunta|domanda|вопрос|质问|질문|문제|السؤال)\W{0,3}\d*\W{0,3}[:：]",
    re.IGNORECASE,
)

_SAME = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»「」『』〝〞《》〈〉", '"'),
        **dict.fromkeys("‘’‚‛´", "'"),
        **dict.fromkeys("‐‑‒–—―−─", "-"),
        **dict.fromkeys("【〔〖", "["),
        **dict.fromkeys("】〕〗", "]"),
        **dict.fromkeys("→⇒➜⟶", ">"),
        **dict.fromkeys("✅✔☑√", "✓"),
        **dict.fromkeys("؟", "?"),
        **dict.fromkeys("،", ","),
        **dict.fromkeys("؛", ";"),
        **dict.fromkeys("✗✘❌", "✗"),
        "\t": " ",
        "\r": "\n",
        "\u2028": "\n",
    }
)

_HAN = re.compile(r"[\u3400-\u9fff]")

# Letters of other alphabets that can only mean one Latin letter, by their place or by their look. The Cyrillic letter
# that looks like B is the third of its alphabet, so it is not among them.
_LATIN = {"А": "A", "Б": "B", "С": "C", "أ": "A", "ب": "B", "ج": "C", "د": "D"}
_FOREIGN_LETTER = re.compile(rf"(?<!\w)[{''.join(_LATIN)}](?=[.):,;!\"'\]]|\s*(?:\n|\Z))")

_HEAD = 5_000
_TAIL = 25_000

_ANSWER_TAG = r"(?:(?:final_)?answer|response|output|solution|conclusion)"

_REWRITES = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), by)
    for pattern, by in (
        (r"\\+(?:text\w*|math\w+|mbox|bf|rm|it|operatorname)\s*\{([^{}]*)\}", r"\1"),
        (r"\\*\b(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r"\nAnswer: \1\n"),
        (r"\\+[()\[\]]|\$", ""),
        (rf"<\s*{_ANSWER_TAG}\s*>|\[begin final response\]|<\|(?:begin_of_solution|start_response)\|>", "\nAnswer: "),
        (
            rf"<\s*/\s*{_ANSWER_TAG}\s*>|\[end final response\]|<\|[^|<>\n]{{1,40}}\|>"
            r"|</?s>|<(?:end_of_turn|eos|turn\|)>"
            r"|</?(?:br|p|li|div|t[rdh])\b[^<>\n]*>",
            "\n",
        ),
        (r"</?(?:b|strong|i|em|u|span|mark|code|[uo]l|h\d|font)\b[^<>\n]*>", ""),
        (r"[*`~\\]|(?<![^\W_])_+|_+(?![^\W_])", ""),
        (r"[_|]", " "),
        (r"[^\S\n]+", " "),
        (r"^ ?(?:(?:#+|>+|[-+•·●▪◦] ) ?(?!\d))*", ""),
        (r"^\d{1,2}[.)] (?=[A-Z](?![A-Za-z]))", ""),
        (r" $", ""),
        (r"\n{2,}", "\n"),
    )
)


@dataclass(frozen=True, slots=True)
class PlainText:
    """The plain ``text`` of an answer, and ``folded``: the same in lower case, of equal length."""

    text: str
    folded: str


_ASCII_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def first_turn(answer: str) -> str:
    """Return the text before the model starts another question or turn; all of it if it does not."""
    text = answer.lstrip()
    match = _NEXT_TURN.search(simplify(text))
    return text[: match.start()] if match else text


def fold(text: str) -> str:
    """Return the text in lower case without changing its length."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def head_and_tail(page: PlainText) -> PlainText:
    """Return the first 5,000 and the last 25,000 characters of a longer answer.

    Answers of that length are loops. What states an answer stands at one of their ends; the time to read stays bounded.
    """
    if len(page.text) <= _HEAD + _TAIL:
        return page
    text = f"{page.text[:_HEAD].rsplit(None, 1)[0]}\n{page.text[-_TAIL:].split(None, 1)[-1]}"
    return PlainText(text, fold(text))


@cache
def _simplified(char: str) -> str:
    return str(_to_simplified().convert(char))


@cache
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")  # reads its tables, about 0.2 s


def simplify(text: str) -> str:
    """Replace traditional by simplified Chinese characters, one by one, so that the length stays.

    Japanese is changed too, which does no harm as options and patterns are changed in the same way.
    """
    return _HAN.sub(lambda match: _simplified(match[0]), text)


def _invisible(char: str) -> bool:
    return unicodedata.category(char) in {"Cf", "Cc"} or "\ufe00" <= char <= "\ufe0f"


def _visible(text: str) -> str:
    """Return the text without invisible characters; line breaks stay."""
    if text.isascii():
        return _ASCII_CONTROL.sub("", text)
    return "".join(char for char in text if char == "\n" or not _invisible(char))


def to_plain(text: str) -> PlainText:
    """Return the text with width forms, quotes and dashes unified and markup removed; lines stay lines."""
    text = unicodedata.normalize("NFKC", text).translate(_SAME)
    text = _visible(text)
    for pattern, by in _REWRITES:
        text = pattern.sub(by, text)
    text = _FOREIGN_LETTER.sub(lambda match: _LATIN[match[0]], simplify(text.strip()))
    return PlainText(text, fold(text))
