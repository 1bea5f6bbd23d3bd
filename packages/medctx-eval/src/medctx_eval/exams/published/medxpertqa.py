"""``medxpertqa``: MedXpertQA Text, the test split: questions of specialty boards with ten options.

The data set TsinghuaC3I/MedXpertQA of the hub has ``Text/test.jsonl``; its images and the split MM are not read.
The form was checked against the authors' data set card: fields, splits, and an example of a question.

  id                                          id
  question                                    question; the options that follow it as text are left out
  options                                     options by letter, A to J
  label                                       answer
  medical_task, body_system, question_type    tags
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import ExamRow, text_of

_CHOICES = "Answer Choices:"
_TAGS = ("medical_task", "body_system", "question_type")


def _rows(files: Sequence[Path]) -> Iterator[ExamRow]:
    """Yield rows of the row schema from the publisher's file."""
    for _, row in tables.read_table(files[0]):
        yield {
            "id": f"medxpertqa/{text_of(row, 'id')}" if text_of(row, "id") else None,
            "question": text_of(row, "question").partition(_CHOICES)[0].strip(),
            "options": row.get("options"),
            "answer": row.get("label"),
            "tags": {tag: row.get(tag) for tag in _TAGS},
        }


SOURCE = ColumnMap(
    card=ExamCard(
        name="medxpertqa",
        source="MedXpertQA Text, test split",
        licence="MIT",
        citation="Zuo et al., MedXpertQA: Benchmarking Expert-Level Medical Reasoning and Understanding, ICML 2025",
        items=2450,
    ),
    remotes=(Remote(repo="TsinghuaC3I/MedXpertQA", file="Text/test.jsonl"),),
    rows=_rows,
    about=__doc__,
)
