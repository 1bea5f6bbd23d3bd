"""A user's file of questions in whatever layout, turned into rows of the row schema.

A file in the row schema itself is passed on as it is. Others are recognised by their columns
(``medctx.tables.layouts``): well-known data sets by name, and any table with a question, options and an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.tables import cells, choices, layouts
from medctx.tables.answers import LETTERS, AnswerError, Convention
from medctx.tables.cells import parsed
from medctx.tables.layouts import ChoiceLayout
from medctx.tables.unfolded import unfold
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.tables import NumberedRow
from medctx_eval.exams.schema import COLUMNS, ExamRow, is_row, letters_of

_PASSED_ON = COLUMNS - {"id", "question", "options", "answer", "context", "book_id", "subject"}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class LaidOut(NamedTuple):
    """The rows of a file in the row schema.

    Attributes:
        rows: The rows with their line numbers, or the reason why a line is no question.
        layout: The layout they were read in; None for the row schema.
        ignored: Columns that are not read, with the number of rows that fill them.
        unfolded: Where options and answer come from if the rows only imply them, as a clause.
    """

    rows: tuple[NumberedRow, ...]
    layout: ChoiceLayout | None
    ignored: dict[str, int]
    unfolded: str = ""

    @property
    def summary(self) -> str:
        """One sentence on how the file is read."""
        if self.layout is None:
            return "This is the row schema."
        layout = self.layout
        name = f"This looks like {layout.name}" if layout.name else "This is a table of questions"
        parts = [("question", layout.question)]
        parts += [] if self.unfolded else [("options", layout.options), ("answer", layout.answer)]
        parts += [("id", layout.id or "the line number"), ("context", layout.context), ("book_id", layout.book_id)]
        parts += [("subject", layout.subject)]
        clauses = [f"{part} from {column}" for part, column in parts if column]
        return f"{name}: {', '.join([*clauses[:1], *filter(None, [self.unfolded]), *clauses[1:]])}."


def _follows_schema(rows: Sequence[ExamRow]) -> bool:
    """Whether rows follow the row schema: its columns, options by letter or in a list, and letters as answers."""
    if not rows or not all(map(is_row, rows[:1])):
        return False
    by_letter = any(isinstance(row.get("options"), dict | list) for row in rows)
    return by_letter and any(letters_of(row.get("answer")) for row in rows if not isinstance(row.get("answer"), int))


def _cell(name: str, value: object) -> object:
    """A cell of a table: empty text is nothing, lists and objects may be text, ``multiple`` a word."""
    value = parsed(value)
    if isinstance(value, str) and not value.strip():
        return None
    return _TRUTHS.get(str(value).strip().lower(), value) if name == "multiple" else value


def _row(number: int, row: ExamRow, layout: ChoiceLayout, convention: Convention) -> ExamRow | str:
    try:
        question = choices.read_question(row, layout, convention)
    except AnswerError as error:
        return f"{error}; write letters" if error.base_unknown else str(error)
    named = cells.at(row, layout.id) if layout.id else None
    columns: ExamRow = {
        "id": str(number if named in (None, "") else named),
        "question": question.text,
        "options": question.options,
        "answer": list(question.gold),
    }
    for part in ("context", "book_id", "subject"):
        place = getattr(layout, part)
        value = cells.at(row, place) if place else None
        text = "\n".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        if text.strip():
            columns[part] = text
    passed_on = {name: _cell(name, value) for name, value in row.items() if name in _PASSED_ON - layout.used}
    return {**{name: value for name, value in passed_on.items() if value is not None}, **columns}


def _is_question(texts: Sequence[str]) -> bool:
    """Return True if the cells of a line are a question, options and a letter rather than names of columns."""
    return len(texts) >= 4 and texts[-1] in LETTERS[: len(texts) - 2] and texts[-2] not in LETTERS


def _unrecognised(path: Path, rows: Sequence[ExamRow]) -> MedctxError:
    columns = list(dict.fromkeys(str(name) for row in rows for name in row))
    if _is_question(columns):
        letters = ",".join(LETTERS[: len(columns) - 2])
        return MedctxError(
            f"{path} begins with a question and not with the names of its columns; add the first line "
            f"question,{letters},answer."
        )
    return MedctxError(
        f"{path} has the columns {', '.join(columns) or '(none)'}, in which no question with options and an answer is "
        "recognised; call them question, A, B, C, D and answer, or see 'medctx-eval exams schema'."
    )


def lay_out(path: Path) -> LaidOut:
    """Read a file of questions in whatever layout.

    Raises:
        MedctxError: The file is damaged, or its columns hold no questions with options and an answer.
    """
    numbered = tuple(tables.numbered_rows(path))
    rows = [row for _, row in numbered if not isinstance(row, str)]
    if not rows or _follows_schema(rows) or (all(map(is_row, rows)) and layouts.detect_layout(rows) is None):
        return LaidOut(numbered, None, _filled(rows, COLUMNS))
    layout, unfolded = layouts.detect_layout(rows), ""
    if layout is None:
        unfolded_rows, unfolded = unfold(rows)
        layout = layouts.detect_layout(unfolded_rows) if unfolded else None
        if layout is not None:
            rows = [dict(row) for row in unfolded_rows]
            left = iter(rows)
            numbered = tuple((number, row if isinstance(row, str) else next(left)) for number, row in numbered)
    if layout is None:
        if is_row(rows[0]):
            return LaidOut(numbered, None, _filled(rows, COLUMNS))
        raise _unrecognised(path, rows)
    convention = choices.layout_convention(rows, layout)
    read = tuple(
        (number, row if isinstance(row, str) else _row(number, row, layout, convention)) for number, row in numbered
    )
    return LaidOut(read, layout, _filled(rows, layout.used | _PASSED_ON), unfolded)


def _filled(rows: Sequence[ExamRow], known: frozenset[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            if name not in known and value not in (None, "", [], {}):
                counts[str(name)] = counts.get(str(name), 0) + 1
    return counts


def read_questions(path: Path) -> Iterator[tuple[int, ExamRow]]:
    """Yield every question of a file with its line number; raises MedctxError at the first line that is none."""
    for number, row in lay_out(path).rows:
        if isinstance(row, str):
            raise MedctxError(f"{path}:{number} {row}; mend or remove that line.")
        yield number, row
