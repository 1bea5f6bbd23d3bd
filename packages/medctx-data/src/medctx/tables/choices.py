"""Rows read as questions with options: which options the answers of a file name, and the question of one row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from medctx.tables.answers import AnswerError, AnswerEvidence, Base, Convention, is_ambiguous, right_letters
from medctx.tables.cells import Columns, at, cell_text, listed, parsed
from medctx.tables.layouts import ANSWERS, ChoiceLayout, plain_name
from medctx.tables.options import LabelledOptions, options_in

_APPENDED = re.compile(r"\s+Answer Choices:\s*\(A\).*\Z", re.DOTALL | re.IGNORECASE)


class Question(NamedTuple):
    """A question with its options by letter, and the right letters."""

    text: str
    options: dict[str, str]
    gold: tuple[str, ...]


_LETTERED = re.compile(r"\(?([A-La-l])[.):\uff1a\u3001]\)?\s*(.+)", re.DOTALL)


def _lettered(answer: object, options: LabelledOptions) -> str:
    """The letter of an answer that gives letter and text of one option, such as "B. Liver"; else ``""``."""
    match = _LETTERED.fullmatch(answer.strip()) if isinstance(answer, str) else None
    if match is None or answer in options.texts.values():
        return ""
    letter = match[1].upper()
    return letter if options.texts.get(letter, "").casefold() == match[2].strip().casefold() else ""


def answers_in(value: object, options: LabelledOptions, digits: str = "text") -> list[object]:
    """Return what an answer names, each as a letter, a text or a number.

    Raises:
        AnswerError: An answer in digits is a number and a text, in a file whose answers are both.
    """
    texts = set(options.texts.values())
    answers: list[object] = []
    for stated in listed(parsed(value)):
        part = int(stated) if isinstance(stated, float) and stated.is_integer() else stated
        text = cell_text(part)
        is_digits = isinstance(part, str) and text.isdecimal()
        if text in options.letters:
            answers.append(options.letters[text])
        elif is_digits and text in texts and digits == "refuse":
            raise AnswerError(f"has the answer {text}, a number and also the text of an option; give its letter")
        elif is_digits and not (text in texts and digits == "text"):
            answers.append(int(text))
        elif letter := _lettered(part, options):
            answers.append(letter)
        elif isinstance(part, str) and re.fullmatch(r"\(?[a-l][).]?|[A-L][).]|\([A-L]\)", text):
            answers.append(text.strip("().").upper())
        else:
            answers.append(text if isinstance(part, str) else part)
    return answers


def convention_of(rows: Iterable[tuple[object, LabelledOptions]], published: Base = None) -> Convention:
    """Decide how the answers of a file name options, from the answers and options of all its rows.

    Args:
        rows: Answer and options of every row.
        published: Number of the first option by the data set's publisher, which the rows of a copy can refute.
    """
    as_text, as_number, kinds = AnswerEvidence(), AnswerEvidence(), set()
    for value, options in rows:
        for part in listed(parsed(value)):
            text = cell_text(part)
            if isinstance(part, str) and text.isdecimal() and text not in options.letters:
                kinds.add("text" if text in options.texts.values() else "number")
        for evidence, digits in ((as_text, "text"), (as_number, "number")):
            for answer in answers_in(value, options, digits):
                evidence.add(answer, options.texts)
    if len(kinds) > 1:
        return as_number.convention(published)._replace(digits="refuse")
    if "number" in kinds:
        return as_number.convention(published)._replace(digits="number")
    return as_text.convention(published)


def _answers_of(rows: Iterable[Columns], layout: ChoiceLayout) -> Iterator[tuple[object, LabelledOptions]]:
    for row in rows:
        try:
            yield at(row, layout.answer), options_in(row, layout.options)
        except AnswerError:
            continue


def layout_convention(rows: Sequence[Columns], layout: ChoiceLayout) -> Convention:
    """Decide how the answers of rows in a layout name options, from all rows and the layout's published base."""
    return convention_of(_answers_of(rows, layout), layout.base)


def right_options(value: object, options: LabelledOptions, convention: Callable[[], Convention]) -> list[str]:
    """Return the letters of the options that an answer names, one or several.

    Args:
        value: The answer.
        options: The options.
        convention: Gives how the file names right options; called only where the row does not say.

    Raises:
        AnswerError: The answer names none of them, or it is not clear which.
    """
    gold: set[str] = set()
    in_digits = any(isinstance(part, str) and part.strip().isdecimal() for part in listed(parsed(value)))
    for answer in answers_in(value, options, convention().digits if in_digits else "text"):
        rule = convention() if is_ambiguous(answer, options.texts) else Convention()
        gold.update(right_letters(answer, options.texts, rule))
    if not gold:
        raise AnswerError(f"has the gold {value!r}, which is none of its options {', '.join(options.texts)}")
    return sorted(gold)


def _require_agreement(row: Columns, layout: ChoiceLayout, options: LabelledOptions, gold: Sequence[str]) -> None:
    """Refuse a row whose further columns of answers name another option by its letter or its text."""
    letters = {text: letter for letter, text in options.texts.items()}
    for name in row:
        if name == layout.answer or plain_name(name) not in ANSWERS:
            continue
        value = row[name]
        stated = value.strip() if isinstance(value, str) else ""
        if stated.isdecimal():  # a number may be a place as well as a text
            continue
        named = stated if stated in options.texts else letters.get(stated)
        if named is not None and named not in gold:
            raise AnswerError(
                f"has the answer {', '.join(gold)} in the column {layout.answer} but {named} in the column {name}; "
                "correct one of them"
            )


def read_question(row: Columns, layout: ChoiceLayout, convention: Convention) -> Question:
    """Read a row as a question.

    Raises:
        AnswerError: Its answer names none of its options, or it is not clear which.
    """
    options = options_in(row, layout.options)
    gold = right_options(at(row, layout.answer), options, lambda: convention)
    if len(gold) > 1 and layout.name and not layout.many:
        raise AnswerError(f"has several answers ({', '.join(gold)}), which {layout.name} never has")
    _require_agreement(row, layout, options, gold)
    text = cell_text(at(row, layout.question))
    return Question(_APPENDED.sub("", text) if layout.appended else text, options.texts, tuple(gold))
