"""``medqa``: MedQA, the test split of the USMLE questions with four options.

The authors publish an archive; the data set GBaker/MedQA-USMLE-4-options of the hub holds its file of the test split
as it is: JSON lines.

  number of the line, from 0   id
  question                     question
  options                      options by letter
  answer_idx                   answer
  meta_info                    tag "step": step1, or step2&3

``answer`` repeats the text of the right option.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import ExamRow


def _rows(files: Sequence[Path]) -> Iterator[ExamRow]:
    """Yield rows of the row schema from the publisher's file."""
    for number, row in tables.read_table(files[0]):
        yield {
            "id": f"medqa/{number - 1}",
            "question": row.get("question"),
            "options": row.get("options"),
            "answer": row.get("answer_idx"),
            "tags": {"step": row.get("meta_info")},
        }


SOURCE = ColumnMap(
    card=ExamCard(
        name="medqa",
        source="MedQA (USMLE), test split, four options",
        licence="MIT",
        citation=(
            "Jin et al., What Disease Does This Patient Have? A Large-Scale Open Domain Question Answering Dataset "
            "from Medical Exams, Applied Sciences 11(14), 2021"
        ),
        items=1273,
    ),
    remotes=(Remote(repo="GBaker/MedQA-USMLE-4-options", file="phrases_no_exclude_test.jsonl"),),
    rows=_rows,
    about=__doc__,
)
