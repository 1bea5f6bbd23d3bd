"""``mmlu-medical``: the test split of nine medical subjects of MMLU.

Papers differ on which subjects are medical. These nine hold the six that MultiMedQA and MIRAGE take (anatomy, clinical
knowledge, college biology, college medicine, medical genetics, professional medicine) and high school biology,
nutrition and virology; the subject of every item is among its tags. The data set cais/mmlu of the hub holds each
subject as Parquet.

  subject, and the number of the row in it, from 0   id
  question                                           question
  choices                                            options A, B, C, D
  answer                                             answer: the number of the right option, from 0
  subject                                            subject
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import LETTERS, ExamRow, text_of

SUBJECTS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "high_school_biology",
    "medical_genetics",
    "nutrition",
    "professional_medicine",
    "virology",
)


def _rows(files: Sequence[Path]) -> Iterator[ExamRow]:
    """Yield rows of the row schema from the publisher's files, one per subject or one with several."""
    before = Counter[str]()
    for file in files:
        for _, row in tables.read_table(file):
            subject, place = text_of(row, "subject"), text_of(row, "answer")
            yield {
                "id": f"mmlu/{subject}/{before[subject]}",
                "question": row.get("question"),
                "options": row.get("choices"),
                "answer": LETTERS[int(place)] if place.isdecimal() and int(place) < len(LETTERS) else None,
                "subject": subject,
            }
            before[subject] += 1


SOURCE = ColumnMap(
    card=ExamCard(
        name="mmlu-medical",
        source=f"MMLU, test split of {len(SUBJECTS)} medical subjects",
        licence="MIT",
        citation="Hendrycks et al., Measuring Massive Multitask Language Understanding, ICLR 2021",
    ),
    remotes=tuple(Remote(repo="cais/mmlu", file=f"{subject}/test-00000-of-00001.parquet") for subject in SUBJECTS),
    rows=_rows,
    about=__doc__,
)
