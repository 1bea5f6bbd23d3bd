"""Every mix compared with every exam plan, as steps of their own.

They come after the exams, whose plans hold the items asked and the Passages of their evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from medctx.io import digest
from medctx.process.progress import say
from medctx.schemas.contamination import ITEMS, PASSAGES
from study.stages.records import CellResult
from study.workflow.graph import DoneTasks, Results, Task
from study.workflow.steps import Step


def contamination_step(label: str, mix: Path, mix_digest: str, exam_plan: Path) -> Step:
    """``medctx-data contamination`` of one mix and one exam plan."""
    files = [exam_plan / name for name in (ITEMS, PASSAGES) if (exam_plan / name).is_file()]
    return Step(
        kind="contamination",
        label=label,
        command=("medctx-data", "contamination"),
        config={"mix": str(mix), "exams": [str(exam_plan)]},
        inputs=(mix_digest, *map(digest.of_file, files)),
        ignored=("mix", "exams"),
    )


def _maker(label: str, mix: Path, mix_digest: str, exam_plan: Path) -> Callable[[DoneTasks], Step]:
    return lambda done: contamination_step(label, mix, mix_digest, exam_plan)


def contamination_tasks(cells: Iterable[CellResult], exam_plans: Sequence[Path]) -> list[Task]:
    """One task for each different mix and exam plan: cells that share a mix share its report."""
    mixes: dict[str, tuple[str, Path]] = {}
    for result in cells:
        if result.mix is not None:
            mixes.setdefault(result.mix_digest, (result.cell.name, result.mix))
    tasks = []
    for mix_digest, (name, mix) in mixes.items():
        for number, exam_plan in enumerate(exam_plans, start=1):
            label = f"{name}, exam plan {number}" if len(exam_plans) > 1 else name
            tasks.append(Task(f"contamination {label}", _maker(label, mix, mix_digest, exam_plan)))
    return tasks


def contamination_folders(results: Results) -> list[Path]:
    """The folders for the report: all or none, since an item that was not compared with every mix may not be clean."""
    if results.failed:
        say(
            f"{len(results.failed)} contamination reports could not be made: the report does not say which items are "
            "contaminated."
        )
        return []
    return [done.folder for done in results.done.values()]
