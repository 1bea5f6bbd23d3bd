"""The options of a question in the ways in which files hold them: lines, lists, objects, or a column for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from medctx.tables.answers import LETTERS, AnswerError
from medctx.tables.cells import Columns, at, cell_text, parsed

_LISTED = re.compile(r"^\s*\(?([A-L])([\s.\uff0e\u3001:\uff1a)])\s*(.*)$")


class LabelledOptions(NamedTuple):
    """Options by letter, and the letter of each label that the file gives them."""

    texts: dict[str, str]
    letters: dict[str, str]


def _in_order(texts: Sequence[object], labels: Sequence[object] = ()) -> LabelledOptions:
    """Options lettered in their order; those without a text at the end are left out.

    Raises:
        AnswerError: An option without a text stands before others, whose letters or numbers would move, or there are
            more options than letters.
    """
    known = list(labels) if len(labels) == len(texts) else [""] * len(texts)
    pairs = [(cell_text(text), cell_text(label)) for text, label in zip(texts, known, strict=True)]
    while pairs and not pairs[-1][0]:
        pairs.pop()
    if len(pairs) > len(LETTERS):
        raise AnswerError(f"has {len(pairs)} options, where at most {len(LETTERS)} are read (A to {LETTERS[-1]})")
    lettered = dict(zip(LETTERS, pairs, strict=False))
    for letter, (text, _) in lettered.items():
        if not text:
            raise AnswerError(f"has no text for the option {letter}, which others follow")
    return LabelledOptions(
        {letter: text for letter, (text, _) in lettered.items()},
        {label: letter for letter, (_, label) in lettered.items() if label},
    )


def _of_line(value: str) -> list[str]:
    """Options that follow one another in a line, each behind its letter and one mark; empty unless there are two."""
    opening = re.match(r"\s*(\(?)A([.):])\s", value)
    if opening is None:
        return []
    texts, rest = [], value[opening.end() :]
    for letter in LETTERS[1:]:
        text, mark, after = rest.partition(f" {opening[1]}{letter}{opening[2]} ")
        texts.append(text.strip().rstrip(",;|").strip())
        rest = after
        if not mark:
            return texts if len(texts) > 1 else []
    return [*texts, rest.strip()]


def _of_lines(value: str) -> LabelledOptions:
    """Options on lines of their own; a line that does not begin with the next letter continues the option before it."""
    if "\n" not in value.strip() and (texts_in_line := _of_line(value)):
        return _in_order(texts_in_line)
    texts: list[str] = []
    spaced = False
    for line in value.splitlines():
        match = _LISTED.match(line)
        # After "A." the line "B cells" begins no option.
        if match and match[1] in LETTERS[len(texts) : len(texts) + 1] and (not texts or match[2].isspace() == spaced):
            spaced = match[2].isspace()
            texts.append(match[3].strip())
        elif texts and line.strip():
            texts[-1] = f"{texts[-1]} {line.strip()}".strip()
    return _in_order(texts)


def _of_mapping(value: Mapping[str, object]) -> LabelledOptions:
    """An object of options by letter, or of the lists of labels and texts that Arrow makes of a list of objects."""
    lists = {str(name): part for name, part in value.items() if isinstance(part, list)}
    if len(lists) == len(value) and len(lists) >= 1:
        texts = next((lists[name] for name in ("text", "atext", "value", "texts") if name in lists), None)
        labels = next((lists[name] for name in ("label", "aid", "key", "labels") if name in lists), [])
        return _in_order(texts, labels) if texts is not None else LabelledOptions({}, {})
    labelled = {str(label).strip(): part for label, part in value.items()}
    by_letter = {label.upper(): label for label in labelled if len(label) == 1 and label.upper() in LETTERS}
    filled = {label for label, part in labelled.items() if part is not None}
    if filled <= set(by_letter.values()):
        # A table of objects gives each the keys of all: a letter that this row lacks is an empty option.
        last = max((LETTERS.index(letter) for letter, label in by_letter.items() if label in filled), default=-1)
        letters = LETTERS[: last + 1]
        texts = [labelled.get(by_letter.get(letter, "")) for letter in letters]
        return _in_order(texts, letters)
    others = [label for label in labelled if label in filled or label not in by_letter.values()]
    return _in_order([labelled[label] for label in others], others)


def labelled_options(value: object) -> LabelledOptions:
    """Return the options that a cell holds in any of the usual ways, none where it holds none.

    Raises:
        AnswerError: An option has no text though others follow it.
    """
    value = parsed(value)
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, str):
        return _of_lines(value)
    if not isinstance(value, list) or not value:
        return LabelledOptions({}, {})
    if all(isinstance(option, Mapping) for option in value):
        keys = next(
            (pair for pair in (("key", "value"), ("label", "text"), ("aid", "atext")) if pair[0] in value[0]), None
        )
        if keys is None:
            return LabelledOptions({}, {})
        return _in_order([option.get(keys[1]) for option in value], [option.get(keys[0]) for option in value])
    if not all(option is None or isinstance(option, str | int | float) for option in value):
        return LabelledOptions({}, {})
    lines = [_LISTED.match(str(option)) for option in value]
    if all(lines) and [line[1] for line in lines if line] == list(LETTERS[: len(value)]):
        return _in_order([line[3] for line in lines if line])
    return _in_order(value)


def options_in(row: Columns, place: str) -> LabelledOptions:
    """Return the options of a row: one column, columns separated by commas, or ``=`` and texts separated by ``|``.

    Raises:
        AnswerError: An option has no text though others follow it.
    """
    if place.startswith("="):
        return _in_order(place[1:].split("|"))
    if "," in place and place not in row:
        return _in_order([at(row, name.strip()) for name in place.split(",")])
    return labelled_options(at(row, place))
