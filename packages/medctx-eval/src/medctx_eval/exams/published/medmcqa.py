"""``medmcqa``: MedMCQA, the validation split (the answers of its test split are not published).

The data set openlifescienceai/medmcqa of the hub holds it as Parquet; the authors' archive as ``dev.json``, which is
JSON lines. Both are read.

  id                  id
  question            question
  opa, opb, opc, opd  options A, B, C, D
  cop                 answer: the number of the right option, counted from 0 on the hub and from 1 in the archive
  subject_name        subject

Whether ``cop`` counts from 0 or 1 is taken from the numbers in the file: a 0 means from 0, a 4 from 1. ``choice_type``
calls many questions "multi", but none has more than one right option: all are single choice here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import ExamRow, text_of

LETTERS = "ABCD"


def _first_number(path: Path, numbers: set[object]) -> int:
    """The value of ``cop`` for option A."""
    if (0 in numbers) == (4 in numbers):
        raise MedctxError(
            f"{path} does not show whether its column cop counts from 0 or from 1 (it holds neither or both of 0 and "
            "4); give the whole file as published, or one in the row schema."
        )
    return 0 if 0 in numbers else 1


def _rows(files: Sequence[Path]) -> Iterator[ExamRow]:
    """Yield rows of the row schema from the hub's file or the archive's."""
    published = [row for _, row in tables.read_table(files[0])]
    numbers = [int(cop) if (cop := text_of(row, "cop")).isdecimal() else None for row in published]
    first = _first_number(files[0], set(numbers))
    for row, number in zip(published, numbers, strict=True):
        place = -1 if number is None else number - first
        yield {
            "id": f"medmcqa/{text_of(row, 'id')}",
            "question": row.get("question"),
            "options": {letter: row.get(f"op{letter.lower()}") for letter in LETTERS},
            "answer": LETTERS[place] if 0 <= place < len(LETTERS) else None,
            "subject": row.get("subject_name"),
        }


SOURCE = ColumnMap(
    card=ExamCard(
        name="medmcqa",
        source="MedMCQA, validation split",
        licence="MIT (the repository) or Apache-2.0 (the data set on the hub)",
        citation=(
            "Pal et al., MedMCQA: A Large-scale Multi-Subject Multi-Choice Dataset for Medical domain Question "
            "Answering, CHIL 2022"
        ),
        items=4183,
    ),
    remotes=(Remote(repo="openlifescienceai/medmcqa", file="data/validation-00000-of-00001.parquet"),),
    rows=_rows,
    about=__doc__,
)
