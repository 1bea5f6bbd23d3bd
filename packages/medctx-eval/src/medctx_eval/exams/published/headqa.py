"""``headqa`` and ``headqa-en``: HEAD-QA, the test split of Spanish examinations for specialised health care posts.

``headqa`` is in Spanish, as the examinations are; ``headqa-en`` is the authors' translation. The authors publish an
archive; the data set EleutherAI/headqa of the hub has the same rows, read here in the Parquet form that the hub makes
of every data set (``refs/convert/parquet``).

  name, qid   id
  qtext       question
  answers     options: a list of ``aid`` (from 1) and ``atext``
  ra          answer: the ``aid`` of the right option
  category    subject: medicine, nursery, psychology, chemistry, pharmacology or biology
  year        tag

Questions with an image are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.schema import LETTERS, ExamRow, text_of

NEEDS_A_PICTURE = "needs a picture"


def _options(row: ExamRow) -> dict[str, str]:
    """Texts of the options by the number that ``ra`` refers to."""
    answers = row.get("answers")
    if isinstance(answers, Mapping):
        columns = zip(answers.get("aid") or (), answers.get("atext") or (), strict=False)
        answers = [{"aid": number, "atext": text} for number, text in columns]
    listed = answers if isinstance(answers, list) else []
    return {text_of(entry, "aid"): text_of(entry, "atext") for entry in listed if isinstance(entry, dict)}


def _rows(files: Sequence[Path]) -> Iterator[ExamRow | str]:
    """Yield rows of the row schema from the publisher's file."""
    for _, row in tables.read_table(files[0]):
        if row.get("image"):
            yield NEEDS_A_PICTURE
            continue
        options = _options(row)
        letters = dict(zip(options, LETTERS, strict=False))
        yield {
            "id": f"headqa/{text_of(row, 'name')}/{text_of(row, 'qid')}",
            "question": row.get("qtext"),
            "options": {letters[number]: text for number, text in options.items() if number in letters},
            "answer": letters.get(text_of(row, "ra")),
            "subject": row.get("category"),
            "tags": {"year": row.get("year")},
        }


def _source(name: str, language: str) -> ColumnMap:
    return ColumnMap(
        card=ExamCard(
            name=name,
            source=f"HEAD-QA, test split ({language})",
            licence="MIT",
            citation=(
                "Vilares and Gomez-Rodriguez, HEAD-QA: A Healthcare Dataset for Complex Reasoning, ACL 2019 "
                "(questions: Ministerio de Sanidad, Consumo y Bienestar Social)"
            ),
            language=language,
            items=2742,
        ),
        remotes=(
            Remote(repo="EleutherAI/headqa", file=f"{language}/test/0000.parquet", revision="refs/convert/parquet"),
        ),
        rows=_rows,
        about=__doc__ or "",
    )


SOURCES = (_source("headqa", "es"), _source("headqa-en", "en"))
