"""The exams of a study: which cells each is for, and which run folder holds which cell's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medctx.schemas.contamination import ITEMS
from medctx.schemas.result import CommandResult
from study.config.cells import StudyCell
from study.stages.bases import Base, engine_groups
from study.workflow.graph import Results


@dataclass(frozen=True, slots=True)
class ExamStep:
    """One exam step: the bases that share an engine, and their cells."""

    name: str
    bases: tuple[Base, ...]
    cells: tuple[StudyCell, ...]


def exams_of(cells: Sequence[StudyCell], bases: Mapping[str, Base]) -> list[ExamStep]:
    """One exam for all cells of the same base weights; cells of missing bases are in none."""
    groups = engine_groups(bases.values())
    exams = []
    for group in groups:
        labels = [base.label for base in group]
        name = "exam" if len(groups) == 1 else f"exam {', '.join(labels)}"
        exams.append(ExamStep(name, tuple(group), tuple(cell for cell in cells if cell.base in labels)))
    return exams


@dataclass(frozen=True, slots=True)
class ExamRun:
    """One cell's exam: its run folder, the folder of its step, and the folder with the items it was asked."""

    run: Path
    step: Path
    exam_plan: Path | None = None


def _cell_of(exam: ExamStep, model: str) -> str:
    """A model behind a server is examined under its own name."""
    served = {base.id: cell.name for base in exam.bases for cell in exam.cells if base.folder is None}
    return served.get(model, model)


def _runs(exam: ExamStep, folder: Path, result: CommandResult) -> Iterable[tuple[str, ExamRun]]:
    plan = next((folder / output.path for output in result.of_kind("exam-plan")), None)
    for output in result.of_kind("exam-run"):
        yield _cell_of(exam, output.name), ExamRun(folder / output.path, folder, plan)


def exam_runs(exams: Iterable[ExamStep], results: Results) -> dict[str, ExamRun]:
    """Finished exams by cell. An exam that failed for some of its models reports those it finished all the same."""
    runs: dict[str, ExamRun] = {}
    for exam in exams:
        if exam.name in results.reported:
            runs |= dict(_runs(exam, results.folders[exam.name], results.reported[exam.name]))
    return runs


def exam_plans(runs: Mapping[str, ExamRun]) -> list[Path]:
    """The folders with the items that were asked, each once."""
    plans = (run.exam_plan for run in runs.values())
    return list(dict.fromkeys(plan for plan in plans if plan is not None and (plan / ITEMS).is_file()))
