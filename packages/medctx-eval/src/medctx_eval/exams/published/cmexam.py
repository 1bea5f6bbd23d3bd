"""``cmexam``: CMExam, the test split of questions from the Chinese National Medical Licensing Examination.

The authors' repository has ``data/test_with_annotations.csv``.

  number of the row, from 0   id
  Question                    question
  Options                     options, a line each: the letter, a space, the text
  Answer                      answer: letters run together; with several, the item is multiple choice
  Medical Discipline          subject

``Explanation`` gives the answer away and is not read. Rows without an answer are left out and counted. The
repository names no licence; the one on the card is that of its copy on the hub (fzkuji/CMExam), unconfirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import ExamRow, text_of

_OPTION = re.compile(r"\s*([A-J])(?:[\s.、:\uff0e\uff1a]+(.*))?")
MISFORMED = "options not by letter"


def _options(column: str) -> dict[str, str] | None:
    """Options by letter; a line without a new letter continues the option before it."""
    options: dict[str, str] = {}
    for line in column.splitlines():
        match = _OPTION.fullmatch(line)
        if match and match[1] not in options:
            options[match[1]] = (match[2] or "").strip()
        elif options:
            last = next(reversed(options))
            options[last] = f"{options[last]} {line.strip()}".strip()
        elif line.strip():
            return None
    return options


def _rows(files: Sequence[Path]) -> Iterator[ExamRow | str]:
    """Yield rows of the row schema from the publisher's file."""
    for number, (_, row) in enumerate(tables.read_table(files[0])):
        options = _options(text_of(row, "Options"))
        if options is None:
            yield MISFORMED
            continue
        yield {
            "id": f"cmexam/{number}",
            "question": row.get("Question"),
            "options": options,
            "answer": row.get("Answer"),
            "subject": row.get("Medical Discipline"),
        }


SOURCE = ColumnMap(
    card=ExamCard(
        name="cmexam",
        source="CMExam, test split",
        licence="Apache-2.0 (its copy on the hub)",
        citation=(
            "Liu et al., Benchmarking Large Language Models on CMExam: A Comprehensive Chinese Medical Exam Dataset, "
            "NeurIPS Datasets and Benchmarks 2023"
        ),
        language="zh",
        items=6811,
    ),
    remotes=(
        Remote(
            url="https://raw.githubusercontent.com/williamliujl/CMExam/{revision}/data/test_with_annotations.csv",
        ),
    ),
    rows=_rows,
    about=__doc__,
)
