"""Reduces an answer to plain text: one width of characters, no Markdown, LaTeX or HTML, one turn."""
# ruff: noqa: RUF001 - the table below maps look-alike characters on purpose

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Base models often go on with another question, or with another turn of the conversation.
_NEXT_TURN = re.compile(
    r"<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|\[INST\]"
    r"|\n\W*(?:user|human|question|q|instruction|problem)\W{0,3}\d*\W{0,3}[:：]"
    r"|\n\W*(?:用户|问题|题目|下一题|例题)\W{0,3}\d*\W{0,3}[:：]",
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
        "\t": " ",
        "\r": "\n",
        "\u2028": "\n",
    }
)

_REWRITES = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), by)
    for pattern, by in (
        (r"\\+(?:text\w*|math\w+|mbox|bf|rm|it|operatorname)\s*\{([^{}]*)\}", r"\1"),
        (r"\\*\b(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r"\nAnswer: \1\n"),
        (r"\\+[()\[\]]|\$", ""),
        (r"<(?:final_)?answer>", "\nAnswer: "),
        (r"</(?:final_)?answer>|<\|[^|<>\n]{1,40}\|>|</?s>|<(?:end_of_turn|eos)>|</?(?:br|p|li|div)\b[^<>\n]*>", "\n"),
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


def first_turn(answer: str) -> str:
    """Return the text before the model starts another question or turn; all of it if it does not."""
    text = answer.lstrip()
    match = _NEXT_TURN.search(text)
    return text[: match.start()] if match else text


def fold(text: str) -> str:
    """Return the text in lower case without changing its length."""
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _invisible(char: str) -> bool:
    return unicodedata.category(char) in {"Cf", "Cc"} or "\ufe00" <= char <= "\ufe0f"


def to_plain(text: str) -> PlainText:
    """Return the text with width forms, quotes and dashes unified and markup removed; lines stay lines."""
    text = unicodedata.normalize("NFKC", text).translate(_SAME)
    text = "".join(char for char in text if char == "\n" or not _invisible(char))
    for pattern, by in _REWRITES:
        text = pattern.sub(by, text)
    text = text.strip()
    return PlainText(text, fold(text))
