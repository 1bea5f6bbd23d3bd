"""Rows of questions whose options or answer are implied or marked, written out with options in a list.

Read are: options with a mark on the right ones, a right answer beside wrong ones, targets with labels as in TruthfulQA,
and questions that are answered yes or no, true or false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from medctx.tables.answers import LETTERS
from medctx.tables.cells import Columns, cell_text, parsed
from medctx.tables.layouts import ANSWERS, OPTIONS, QUESTIONS, plain_name

MARKS = ("correct", "is_correct", "iscorrect", "right", "is_right", "is_answer")
_TEXTS = ("text", "option", "answer", "content", "value", "answer_text", "option_text")
_MARKED = (*OPTIONS, "answers")
_RIGHT = ("correct_answer", "best_answer", "right_answer", "correct")
_WRONG = ("incorrect_answers", "wrong_answers", "distractors", "incorrect")
_WRONG_SERIES = ("distractor{}", "distractor_{}", "incorrect_answer_{}", "wrong_answer_{}", "incorrect_answer{}")
_TARGETS = ("mc1_targets",)
_PAIRS = (("yes", "no"), ("true", "false"))


class Unfolded(NamedTuple):
    """A row with its options and answer written out.

    Attributes:
        row: The row, with ``options`` and ``answer`` in place of the columns they were read from.
        why: What was read, as a clause.
    """

    row: Columns
    why: str


def _with(
    row: Columns, used: Sequence[str], options: Sequence[str], right: Sequence[bool], why: str
) -> Unfolded | None:
    letters = [letter for letter, is_right in zip(LETTERS, right, strict=False) if is_right]
    if len(options) < 2 or len(options) > len(LETTERS) or not letters:
        return None
    rest = {name: value for name, value in row.items() if name not in used}
    return Unfolded({**rest, "options": list(options), "answer": letters}, why)


def _is_true(value: object) -> bool:
    return value is True or value == 1 or str(value).strip().lower() in {"true", "1", "yes"}


def _marked(row: Columns, names: Mapping[str, str]) -> Unfolded | None:
    """Options as objects with a text and a mark."""
    for word in _MARKED:
        value = parsed(row.get(names.get(word, "")))
        if not isinstance(value, list) or not value or not all(isinstance(option, Mapping) for option in value):
            continue
        text = next((key for key in _TEXTS if all(key in option for option in value)), "")
        mark = next((key for option in value[:1] for key in option if plain_name(str(key)) in MARKS), "")
        if text and mark:
            right = [_is_true(option.get(mark)) for option in value]
            texts = [cell_text(option[text]) for option in value]
            return _with(row, [names[word]], texts, right, f"options from {names[word]}, the right ones by {mark}")
    return None


def _beside_wrong(row: Columns, names: Mapping[str, str]) -> Unfolded | None:
    """A right answer beside wrong ones, in an order that depends on the question only."""
    right = next((names[word] for word in _RIGHT if word in names), "")
    columns = [names[word] for word in _WRONG if word in names][:1]
    for pattern in _WRONG_SERIES:
        columns = columns or [names[name] for n in range(1, 12) if (name := pattern.format(n)) in names]
    texts: list[str] = []
    for column in columns:
        value = parsed(row[column])
        texts += [cell_text(part) for part in (value if isinstance(value, list) else [value])]
    answer = cell_text(row.get(right)) if right else ""
    texts = [text for text in texts if text]
    if not answer or not texts or answer in texts:
        return None
    question = next((cell_text(row[names[word]]) for word in QUESTIONS if word in names), "")
    options = sorted([answer, *texts], key=lambda text: sha256(f"{question}\0{text}".encode()).digest())
    why = f"options from {', '.join([right, *columns])} in an order of their own, the right one from {right}"
    return _with(row, [right, *columns], options, [option == answer for option in options], why)


def _targets(row: Columns, names: Mapping[str, str]) -> Unfolded | None:
    """Choices and labels of 0 and 1 in one object."""
    for word in _TARGETS:
        value = parsed(row.get(names.get(word, "")))
        if not isinstance(value, Mapping):
            continue
        if isinstance(value.get("choices"), list) and isinstance(value.get("labels"), list):
            pairs = list(zip(value["choices"], value["labels"], strict=False))
        else:
            pairs = list(value.items())
        right = [_is_true(label) for _, label in pairs]
        return _with(row, [names[word]], [cell_text(text) for text, _ in pairs], right, f"options from {names[word]}")
    return None


def _unfold(row: Columns) -> Unfolded | None:
    names = {plain_name(str(name)): str(name) for name, value in row.items() if value not in (None, "", [], {})}
    if not any(word in names for word in QUESTIONS):
        return None
    if "options" in names and not isinstance(parsed(row[names["options"]]), list):
        return None
    return _marked(row, names) or _targets(row, names) or _beside_wrong(row, names)


def _two_valued(rows: Sequence[Columns]) -> list[Unfolded]:
    """Questions without options that are all answered yes or no, or all true or false."""
    names = {plain_name(str(name)): str(name) for row in rows for name in row}
    column = next((names[word] for word in ANSWERS if word in names), "")
    if not column or not any(word in names for word in QUESTIONS):
        return []
    values = [row.get(column) for row in rows]
    said = [str(value).strip().lower() for value in values]
    pair = next((pair for pair in _PAIRS if all(text in pair for text in said)), None)
    if pair is None:
        return []
    if all(isinstance(value, bool) for value in values):
        question = next(names[word] for word in QUESTIONS if word in names)
        asked = all(str(row.get(question)).rstrip().endswith(("?", "\uff1f")) for row in rows)
        options = ("yes", "no") if asked else ("true", "false")
    else:
        options = pair
    why = f"options {options[0]} and {options[1]}, the right one from {column}"
    unfolded = [
        _with(row, [column], options, [text == pair[0], text == pair[1]], why)
        for row, text in zip(rows, said, strict=True)
    ]
    return [row for row in unfolded if row is not None]


def unfold(rows: Sequence[Columns]) -> tuple[list[Columns], str]:
    """Write out the options of rows that imply them.

    Args:
        rows: The rows of a file in which no layout with options was detected.

    Returns:
        The rows and what was read, as a clause; the rows as they are and ``""`` unless most of them could be read so.
    """
    each = [_unfold(row) for row in rows]
    if rows and 2 * sum(row is not None for row in each) > len(rows):
        why = next(row.why for row in each if row is not None)
        return [row.row if row else given for row, given in zip(each, rows, strict=True)], why
    two_valued = _two_valued(rows)
    return ([row.row for row in two_valued], two_valued[0].why) if two_valued else (list(rows), "")
