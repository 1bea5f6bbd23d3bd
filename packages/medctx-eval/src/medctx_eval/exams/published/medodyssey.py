"""``medodyssey-en`` and ``medodyssey-zh``: the needles of MedOdyssey, with options.

The authors' repository has ``dataset/task_data/needles/en_pure_needles.json`` and ``zh_pure_needles.json``: lists of
short texts with a question on each. The form was checked against both files (commit d2067eb, 20 needles each).

  id             id
  input          question
  needle         context: the evidence
  ground_truth   answer: the first of its wordings, offered among the answers to other needles of the same type
  type           tag: med or general

The published questions are answered freely, and their haystacks are guidelines and books. Here every question has
options (``medctx_eval.exams.readers.open_answers``), and the other needles are the distractors: Books longer than these
need a passages file (``passages=FILE``), for example the chapters of a book.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.readers.open_answers import OpenQuestion, with_options
from medctx_eval.exams.readers.published_files import read_json
from medctx_eval.exams.schema import ExamRow, text_of


def _answer(row: Mapping[str, object]) -> str:
    wordings = row.get("ground_truth")
    texts = wordings if isinstance(wordings, list) else [wordings]
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


def _rows(files: Sequence[Path]) -> Iterator[ExamRow | str]:
    """Yield rows of the row schema from the publisher's file."""
    needles = read_json(files[0])
    if not isinstance(needles, list) or not all(isinstance(row, dict) and "needle" in row for row in needles):
        raise MedctxError(f"{files[0]} is not a list of needles; give the file of MedOdyssey as published.")
    yield from with_options(
        [
            OpenQuestion(
                id=f"medodyssey/{text_of(row, 'id')}",
                answer=_answer(row),
                group=text_of(row, "type"),
                row={"question": row.get("input"), "context": row.get("needle"), "tags": {"type": row.get("type")}},
            )
            for row in needles
        ]
    )


def _source(language: str) -> ColumnMap:
    return ColumnMap(
        card=ExamCard(
            name=f"medodyssey-{language}",
            source=f"MedOdyssey, needles ({language}), with options made of each other's answers",
            licence="Apache-2.0",
            citation=(
                "Fan et al., MedOdyssey: A Medical Domain Benchmark for Long Context Evaluation Up to 200K Tokens, "
                "Findings of NAACL 2025"
            ),
            language=language,
        ),
        remotes=(
            Remote(
                url="https://raw.githubusercontent.com/JOHNNY-fans/MedOdyssey/{revision}/dataset/task_data/needles/"
                f"{language}_pure_needles.json",
            ),
        ),
        rows=_rows,
        about=__doc__ or "",
    )


SOURCES = (_source("en"), _source("zh"))
