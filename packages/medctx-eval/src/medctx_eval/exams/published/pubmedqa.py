"""``pubmedqa``: PubMedQA, the 500 expert-labelled questions of its test split (PQA-L), read with the abstract.

The publisher's repository has ``data/ori_pqal.json``: an object by PubMed id of 1,000 questions, and
``data/test_ground_truth.json``: the answers of the 500 of the test split by PubMed id. If only the first file is
given, all of its questions are asked.

  PubMed id       id
  QUESTION        question
  CONTEXTS        context: the paragraphs of the abstract without its conclusion, each after its heading in LABELS
  final_decision  answer: A for yes, B for no, C for maybe

LONG_ANSWER, the conclusion, gives the answer away and is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.readers.published_files import read_json
from medctx_eval.exams.schema import ExamRow, text_of

ADDRESS = "https://raw.githubusercontent.com/pubmedqa/pubmedqa/{revision}/data/"
OPTIONS = {"A": "yes", "B": "no", "C": "maybe"}
OTHER_SPLIT = "not of the test split"


def _texts(row: ExamRow, key: str) -> list[str]:
    value = row.get(key)
    return [text.strip() for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _context(row: ExamRow) -> str:
    paragraphs, headings = _texts(row, "CONTEXTS"), _texts(row, "LABELS")
    if len(headings) != len(paragraphs):
        return "\n".join(paragraphs)
    return "\n".join(
        f"{heading}: {text}" if heading else text for heading, text in zip(headings, paragraphs, strict=True)
    )


def _object(path: Path) -> ExamRow:
    value = read_json(path)
    if not isinstance(value, dict):
        raise MedctxError(
            f"{path} holds a {type(value).__name__}, not questions by PubMed id; give {path.name} as published."
        )
    return value


def _rows(files: Sequence[Path]) -> Iterator[ExamRow | str]:
    """Yield rows of the row schema from the publisher's two files, or the first of them."""
    letters = {text: letter for letter, text in OPTIONS.items()}
    test_split = _object(files[1]) if len(files) > 1 else None
    for name, row in _object(files[0]).items():
        if test_split is not None and name not in test_split:
            yield OTHER_SPLIT
        elif isinstance(row, dict):
            yield {
                "id": f"pubmedqa/{name}",
                "question": row.get("QUESTION"),
                "options": OPTIONS,
                "answer": letters.get(text_of(row, "final_decision").lower()),
                "context": _context(row),
            }


SOURCE = ColumnMap(
    card=ExamCard(
        name="pubmedqa",
        source="PubMedQA, test split of PQA-L",
        licence="MIT",
        citation="Jin et al., PubMedQA: A Dataset for Biomedical Research Question Answering, EMNLP 2019",
        items=500,
    ),
    remotes=tuple(
        Remote(url=ADDRESS + name, revision="master") for name in ("ori_pqal.json", "test_ground_truth.json")
    ),
    rows=_rows,
    about=__doc__,
)
