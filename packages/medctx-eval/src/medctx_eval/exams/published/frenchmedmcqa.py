"""``frenchmedmcqa``: FrenchMedMCQA, the test split of French examinations in pharmacy, with one or several answers.

The authors' data set Dr-BERT/FrenchMedMCQA of the hub has ``data.zip``, of which ``test.json`` is read: a JSON list. A
copy of that file is read as well, and tables in the hub's columns. The copy nthngdy/frenchmedmcqa has the questions
with a single answer only, 321 of 622.

  id                                    id
  question                              question
  answers, or answer_a ... answer_e     options A to E
  correct_answers                       answer: letters, or numbers from 0; one alone, or a list
  subject_name                          subject

``correct_answers`` with several entries makes a multiple-choice item.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import LETTERS, ExamRow, text_of

_LETTERS = "abcde"
_IN_ARCHIVE = "test.json"


def _letter(value: object) -> str | None:
    """The letter of an answer given as a letter or as a number from 0; None if it is neither."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_LETTERS):
        return LETTERS[value]
    return value.upper() if isinstance(value, str) and value.lower() in _LETTERS and len(value) == 1 else None


def _answer(row: ExamRow) -> list[str] | None:
    values = row.get("correct_answers")
    letters = [_letter(value) for value in (values if isinstance(values, list) else [values])]
    return None if None in letters else [letter for letter in letters if letter]


def _table(file: Path) -> Iterator[ExamRow]:
    if not zipfile.is_zipfile(file):
        yield from (row for _, row in tables.read_table(file))
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(file) as archive:
        try:
            test = archive.extract(_IN_ARCHIVE, folder)
        except (KeyError, zipfile.BadZipFile, OSError):
            raise MedctxError(f"{file} holds no readable {_IN_ARCHIVE}; give the archive as published.") from None
        yield from (row for _, row in tables.read_table(Path(test)))


def _rows(files: Sequence[Path]) -> Iterator[ExamRow]:
    """Yield rows of the row schema from the publisher's file."""
    for row in _table(files[0]):
        listed = row.get("answers")
        named = listed if isinstance(listed, Mapping) else {mark: row.get(f"answer_{mark}") for mark in _LETTERS}
        answer = _answer(row)
        yield {
            "id": f"frenchmedmcqa/{text_of(row, 'id')}" if text_of(row, "id") else None,
            "question": row.get("question"),
            "options": {str(mark).upper(): text for mark, text in named.items()},
            "answer": answer,
            "multiple": len(answer or ()) > 1,
            "subject": row.get("subject_name"),
        }


SOURCE = ColumnMap(
    card=ExamCard(
        name="frenchmedmcqa",
        source="FrenchMedMCQA, test split",
        licence="Apache-2.0",
        citation="Labrak et al., FrenchMedMCQA: A French Multiple-Choice QA Dataset for Medical Domain, LOUHI 2022",
        language="fr",
        items=622,
    ),
    remotes=(Remote(repo="Dr-BERT/FrenchMedMCQA", file="data.zip"),),
    rows=_rows,
    about=__doc__,
)
