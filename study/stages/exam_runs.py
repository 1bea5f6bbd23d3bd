"""Which run folder holds which cell's exam, and whose MLflow run it is logged in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from study.stages.tasks import Exam
from study.workflow.graph import Results

MANIFEST = "exam.json"


@dataclass(frozen=True, slots=True)
class Examined:
    """One cell's exam: its run folder, the folder of the step it belongs to, and that of the paper it was asked."""

    run: Path
    step: Path
    exam_plan: Path | None = None


def _cell_of(exam: Exam, model: str) -> str:
    """A model behind a server is examined under its own name."""
    served = {base.id: cell.name for base in exam.bases for cell in exam.cells if base.folder is None}
    return served.get(model, model)


def examined(exams: Iterable[Exam], results: Results) -> dict[str, Examined]:
    """Finished exams by cell. An exam that failed for some of its models names those it finished all the same."""
    found: dict[str, Examined] = {}
    for exam in exams:
        output = results.outputs.get(exam.name, "")
        for line in output.splitlines():
            run = Path(line.strip())
            if (run / MANIFEST).is_file():
                told = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
                exam_plan = run.parent / str(told["exam_plan"]) if told.get("exam_plan") else None
                found[_cell_of(exam, str(told["model"]))] = Examined(run, run.parent, exam_plan)
    return found
