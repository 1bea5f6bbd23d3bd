"""``igakuqa``: IgakuQA, the Japanese national medical licensing examinations of 2018 to 2022.

The authors' repository has a file of JSON lines for each of the six parts (A to F) of each year.

  problem_id     id
  problem_text   question
  choices        options A to E
  answer         answer: letters in lower case; with several, the item is multiple choice
  points         tag

Left out and counted are questions that need a picture (``text_only`` is false), that ask for a number, that the
examiners did not score (no points), or of which they accepted several answers. The questions are those of the Ministry
of Health, Labour and Welfare; the repository names no licence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.published.headqa import NEEDS_A_PICTURE
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import ExamRow, text_of

ASKS_A_NUMBER = "asks for a number"
NOT_SCORED = "not scored by the examiners"
SEVERAL_ACCEPTED = "several answers accepted by the examiners"
_ACCEPTED = frozenset({"112B30", "116A71"})
"""As the authors score them (``scripts/evaluate_main.py`` of their repository): a or d, and whatever is said."""
YEARS = {2018: 112, 2019: 113, 2020: 114, 2021: 115, 2022: 116}
PARTS = "ABCDEF"
_FOLDER = "https://raw.githubusercontent.com/jungokasai/IgakuQA/{revision}/data"


def _rows(files: Sequence[Path]) -> Iterator[ExamRow | str]:
    """Yield rows of the row schema from the publisher's files."""
    for file in files:
        for _, row in tables.read_table(file):
            if row.get("text_only") is False:
                yield NEEDS_A_PICTURE
                continue
            if not row.get("choices"):
                yield ASKS_A_NUMBER
                continue
            if text_of(row, "problem_id") in _ACCEPTED:
                yield SEVERAL_ACCEPTED
                continue
            if text_of(row, "points") == "0":
                yield NOT_SCORED
                continue
            answers = row.get("answer")
            yield {
                "id": f"igakuqa/{text_of(row, 'problem_id')}",
                "question": row.get("problem_text"),
                "options": row.get("choices"),
                "answer": answers,
                "multiple": isinstance(answers, list) and len(answers) > 1,
                "tags": {"points": row.get("points"), "part": text_of(row, "problem_id")[:4]},
            }


SOURCE = ColumnMap(
    card=ExamCard(
        name="igakuqa",
        source="IgakuQA, Japanese medical licensing examinations of 2018 to 2022, questions without pictures",
        licence="none named (questions of the Ministry of Health, Labour and Welfare of Japan)",
        citation=(
            "Kasai et al., Evaluating GPT-4 and ChatGPT on Japanese Medical Licensing Examinations, arXiv 2303.18027"
        ),
        language="ja",
    ),
    remotes=tuple(
        Remote(url=f"{_FOLDER}/{year}/{number}-{part}.jsonl") for year, number in YEARS.items() for part in PARTS
    ),
    rows=_rows,
    about=__doc__,
)
