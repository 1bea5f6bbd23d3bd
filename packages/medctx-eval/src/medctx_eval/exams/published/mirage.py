"""``mirage``: the five sets of MIRAGE, asked without documents: MMLU-Med, MedQA, MedMCQA, PubMedQA* and BioASQ-Y/N.

The authors' repository has ``benchmark.json``: an object of sets, each an object of questions by their id.

  name of the set, and of the question   id
  question                               question
  options                                options by letter (yes, no and maybe in the last two sets)
  answer                                 answer
  name of the set                        tag "set", and subject

The sets repeat those of ``medqa``, ``medmcqa``, ``pubmedqa`` and most of ``mmlu-medical``: do not add their numbers up.
The repository names no licence for the file as a whole; each set has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.readers.column_map import ColumnMap
from medctx_eval.exams.readers.published_files import read_json
from medctx_eval.exams.schema import ExamRow


def _rows(files: Sequence[Path]) -> Iterator[ExamRow]:
    """Yield rows of the row schema from the publisher's file."""
    sets = read_json(files[0])
    if not isinstance(sets, dict) or not all(isinstance(questions, dict) for questions in sets.values()):
        raise MedctxError(f"{files[0]} does not hold sets of questions by their id; give benchmark.json as published.")
    for name, questions in sets.items():
        for key, row in questions.items():
            if isinstance(row, dict):
                yield {
                    "id": f"mirage/{name}/{key}",
                    "question": row.get("question"),
                    "options": row.get("options"),
                    "answer": row.get("answer"),
                    "subject": name,
                    "tags": {"set": name},
                }


SOURCE = ColumnMap(
    card=ExamCard(
        name="mirage",
        source="MIRAGE: MMLU-Med, MedQA, MedMCQA, PubMedQA without abstracts, BioASQ yes/no",
        licence="that of each set (none is named for the whole)",
        citation="Xiong et al., Benchmarking Retrieval-Augmented Generation for Medicine, Findings of ACL 2024",
        items=7663,
    ),
    remotes=(Remote(url="https://raw.githubusercontent.com/Teddy-XiongGZ/MIRAGE/{revision}/benchmark.json"),),
    rows=_rows,
    about=__doc__,
)
