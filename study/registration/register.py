"""Writes a plan once and reports when it replaces another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record
from medctx.process.progress import say
from medctx.schemas.report import REPORT_FILE
from medctx.schemas.result import RESULT_FILE
from medctx.schemas.study_plan import PLAN_FILE, StudyPlan


def short_digest(plan: StudyPlan) -> str:
    """The short digest that names a plan."""
    return digest.of_record(plan)[: digest.SHORT]


def read_plan(folder: Path) -> StudyPlan | None:
    """The plan registered in a study's folder, if there is one."""
    path = folder / PLAN_FILE
    return read_record(path, StudyPlan) if path.is_file() else None


def was_used(folder: Path, work: Path) -> bool:
    """Whether cells were trained under the plan in ``folder``: it has a report, or a step is newer than the plan.

    The steps in ``work`` may be another study's; then a plan is kept that could have been replaced.
    """
    path = folder / PLAN_FILE
    if not path.is_file():
        return False
    written = path.stat().st_mtime_ns
    steps = [step for kind in ("train", "repair") for step in (work / "steps").glob(f"{kind}-*/{RESULT_FILE}")]
    return (folder / REPORT_FILE).is_file() or any(step.stat().st_mtime_ns > written for step in steps)


def trained_before(folder: Path, steps: Mapping[str, Path]) -> list[str]:
    """Cells that were trained before the plan in ``folder`` was written, as by another study that shares the steps.

    Args:
        folder: The study's folder.
        steps: The folder of the step that made each cell's weights.
    """
    path = folder / PLAN_FILE
    if not path.is_file():
        return []
    written = path.stat().st_mtime_ns
    results = {cell: step / RESULT_FILE for cell, step in steps.items()}
    return [cell for cell, file in results.items() if file.is_file() and file.stat().st_mtime_ns < written]


def register(plan: StudyPlan, folder: Path, *, replace: bool = False) -> Path:
    """Write ``plan.json``, and return its path.

    Args:
        plan: The plan.
        folder: The study's folder.
        replace: Whether another plan in the folder is replaced, and a message says so; nothing was trained under it,
            or it was a trial's.

    Raises:
        MedctxError: The folder has another plan, which is not replaced.
    """
    path = folder / PLAN_FILE
    before = read_plan(folder)
    if before is not None and digest.of_record(before) == digest.of_record(plan):
        return path
    if before is not None:
        changed = ", ".join(_changed(before, plan))
        if not replace:
            raise MedctxError(
                f"{path} holds the plan {short_digest(before)}, under which cells were trained, and this study differs "
                f"from it in {changed}; restore the study's settings, or register the other plan from a copy of the "
                "study's file with another `name`, or in another work=FOLDER."
            )
        say(f"The plan {short_digest(before)} of {plan.study} is replaced; it differs in {changed}.")
    write_record(path, plan)
    return path


def _changed(before: StudyPlan, after: StudyPlan) -> Iterator[str]:
    for name in StudyPlan.model_fields:
        if getattr(before, name) == getattr(after, name):
            continue
        if name == "settings":
            sections = {**before.settings, **after.settings}
            yield from (key for key in sections if before.settings.get(key) != after.settings.get(key))
        else:
            yield name
