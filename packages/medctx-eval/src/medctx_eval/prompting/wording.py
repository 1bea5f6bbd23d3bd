"""What is said around a question, in the languages of the exams."""

from __future__ import annotations

from collections.abc import Mapping

from medctx.schemas.records import ExamItem

JOINT = ", "
"""Between the letters of an answer that has several."""

CONTENT_FREE = "N/A"
MARK = "\N{WHITE SQUARE}"
CHOICE_TOKENS = 24

_ONE = {
    "en": "Answer with the letter of the right option.",
    "zh": "请用正确选项的字母作答。",
}
_SEVERAL = {
    "en": "Several options may be right. Answer with the letters of all right options.",
    "zh": "可能有多个正确选项，请用所有正确选项的字母作答。",
}


def listed(item: ExamItem, options: Mapping[str, str]) -> str:
    """The question, the options by their letters, and how to answer."""
    lines = "\n".join(f"{letter}. {text}" for letter, text in options.items())
    said = _SEVERAL if item.multiple else _ONE
    return f"{item.question}\n{lines}\n{said.get(item.language, said['en'])}"
