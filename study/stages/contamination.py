"""What of the exams stands in the training data: every mix held against every paper asked, as steps of their own.

They come after the exams, whose papers hold the items asked and the Passages of their evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from medctx.io import digest
from medctx.process.progress import say
from medctx.schemas.contamination import ITEMS, PASSAGES, SUMMARY
from study.stages.exam_runs import Examined
from study.stages.summary import CellResult
from study.workflow.graph import Folders, Results, Task
from study.workflow.steps import Step


def ledger_step(label: str, mix: Path, mix_digest: str, exam_plan: Path) -> Step:
    """``medctx-data contamination_report`` of one mix and one paper."""
    files = [exam_plan / name for name in (ITEMS, PASSAGES) if (exam_plan / name).is_file()]
    return Step(
        kind="contamination",
        label=label,
        command=("medctx-data", "contamination"),
        config={"mix": str(mix), "exams": [str(exam_plan)]},
        inputs=(mix_digest, *map(digest.of_file, files)),
        manifest=SUMMARY,
        ignored=("mix", "exams"),
    )


def exam_plans(exams: Mapping[str, Examined]) -> list[Path]:
    """The papers that were asked, each once."""
    found = (one.exam_plan for one in exams.values())
    return list(
        dict.fromkeys(exam_plan for exam_plan in found if exam_plan is not None and (exam_plan / ITEMS).is_file())
    )


def _made(label: str, mix: Path, mix_digest: str, exam_plan: Path) -> Callable[[Folders], Step]:
    return lambda done: ledger_step(label, mix, mix_digest, exam_plan)


def tasks(cells: Iterable[CellResult], asked: Sequence[Path]) -> list[Task]:
    """One task for each different mix and paper: cells that share a mix share its ledger."""
    mixes: dict[str, tuple[str, Path]] = {}
    for one in cells:
        if one.mix is not None:
            mixes.setdefault(one.mix_digest, (one.cell.name, one.mix))
    found = []
    for mix_digest, (name, mix) in mixes.items():
        for number, exam_plan in enumerate(asked, start=1):
            label = f"{name}, paper {number}" if len(asked) > 1 else name
            found.append(Task(f"contamination {label}", _made(label, mix, mix_digest, exam_plan)))
    return found


def contamination_reports(results: Results) -> list[Path]:
    """The ledgers for the report: all or none, because an item that one mix was not held against is not known clean."""
    if results.failed:
        say(f"{len(results.failed)} ledgers could not be made: the report does not say which items are contaminated.")
        return []
    return [done.folder for done in results.done.values()]
