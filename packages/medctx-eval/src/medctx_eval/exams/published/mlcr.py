"""``mlcr``: Medical Long Context Reasoning, the public questions on the records of invented patients, with options.

The data set Wisedocs/mlcr-dataset of the hub (its terms have to be accepted there) has the parts ``questions`` and
``cases_summaries``, read here in the Parquet form that the hub makes of every data set (``refs/convert/parquet``), or
from a folder with ``questions.parquet`` and ``cases_summaries.parquet``, as the authors' ``mlcr download`` saves them.
Columns, parts and the order of summaries were checked against that command's source.

  case_uuid, prompt_id   id
  question               question
  answer                 answer: offered among the answers to other questions on the same case
  summary_text           context: all summaries of the case one after the other, the Book of all its questions
  difficulty             tag

The published questions are answered freely and judged by models. Here every question has options
(``medctx_eval.exams.readers.open_answers``), so that no judge is needed. ``filler_files``, forms that are put between
the summaries, are not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.readers.open_answers import OpenQuestion, with_options
from medctx_eval.exams.schema import ExamRow, text_of

_REPO, _REVISION = "Wisedocs/mlcr-dataset", "refs/convert/parquet"


def _rows(files: Sequence[Path]) -> Iterator[ExamRow | str]:
    """Yield rows of the row schema from the publisher's two files."""
    if len(files) != 2:
        raise MedctxError(f"{files[0]} is one file, but mlcr has questions and summaries; give the folder with both.")
    questions = [row for _, row in tables.read_table(files[0])]
    records: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for _, row in tables.read_table(files[1]):
        records[text_of(row, "case_uuid")].append((text_of(row, "summary_file"), text_of(row, "summary_text")))
    yield from with_options(
        [
            OpenQuestion(
                id=f"mlcr/{case}/{text_of(row, 'prompt_id')}",
                answer=text_of(row, "answer"),
                group=case,
                row={
                    "question": row.get("question"),
                    "context": "\n\n".join(text for _, text in sorted(records[case])),
                    "tags": {"difficulty": row.get("difficulty")},
                },
            )
            for row, case in ((row, text_of(row, "case_uuid")) for row in questions)
        ]
    )


SOURCE = ColumnMap(
    card=ExamCard(
        name="mlcr",
        source="Medical Long Context Reasoning (MLCR), public questions, with options made of each other's answers",
        licence="Apache-2.0",
        citation="Wisedocs, Medical Long Context Reasoning benchmark, 2026",
    ),
    remotes=tuple(
        Remote(repo=_REPO, file=f"{part}/train/0000.parquet", revision=_REVISION)
        for part in ("questions", "cases_summaries")
    ),
    rows=_rows,
    about=__doc__,
)
