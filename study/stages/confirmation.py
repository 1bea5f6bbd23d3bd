"""The exam of selected cells and their bases on items that selected none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from medctx.process.progress import say
from study.config.cells import StudyCell
from study.config.sections import confirmation_exam
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.exam_runs import exam_plans, exam_runs, exams_of
from study.stages.task_names import weights_task
from study.workflow.graph import Results

Examine: TypeAlias = Callable[[StudyConfig, Mapping[str, Base], Sequence[StudyCell]], Results]
"""Runs the tasks that examine cells of some bases as a study says."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Run folders of the examined cells, the folders with the items they were asked, and by cell why others were not
    examined.
    """

    runs: tuple[Path, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    exam_plans: tuple[Path, ...] = ()


def examined_again(cells: Sequence[StudyCell], groups: Sequence[str]) -> list[StudyCell]:
    """The cells of the groups and the untouched bases that they are compared with."""
    selected = [cell for cell in cells if cell.group in groups and cell.compared]
    labels = {cell.compared_with for cell in selected}
    return [cell for cell in cells if cell in selected or (not cell.compared and cell.base in labels)]


def _reason(cell: StudyCell, exams: Mapping[str, str], results: Results) -> str:
    failed = results.failed
    return failed.get(weights_task(cell)) or failed.get(exams.get(cell.name, "")) or "its exam reports no finished run"


def confirm(
    config: StudyConfig,
    cells: Sequence[StudyCell],
    bases: Mapping[str, Base],
    groups: Sequence[str],
    examine: Examine,
) -> Confirmation:
    """Examine selected cells and their bases on the items of ``confirmation``; what failed is printed.

    Args:
        config: The study.
        cells: All its cells.
        bases: Its bases by label.
        groups: The selected cells, without their seeds.
        examine: Runs the tasks.
    """
    exam, examined = confirmation_exam(config), examined_again(cells, groups)
    if exam is None or not examined:
        return Confirmation()
    names = dict.fromkeys(cell.group for cell in examined if cell.compared)
    say(f"Confirmation: {', '.join(names)} on items that selected no cell.")
    used = {label: base for label, base in bases.items() if any(cell.base == label for cell in examined)}
    again = config.model_copy(update={"exam": exam, "repeat_base_exam": False})
    results = examine(again, used, examined)
    exams = exams_of(examined, used)
    runs = exam_runs(exams, results)
    by_cell = {cell.name: entry.name for entry in exams for cell in entry.cells}
    missing = {cell.name: _reason(cell, by_cell, results) for cell in examined if cell.name not in runs}
    for name, reason in missing.items():
        say(f"{name} was not confirmed: {reason}")
    return Confirmation(
        tuple(runs[cell.name].run for cell in examined if cell.name in runs), missing, tuple(exam_plans(runs))
    )
