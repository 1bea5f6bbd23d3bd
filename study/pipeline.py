"""A whole study from its config to its registered models. Reads top to bottom."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import write_record, write_text
from medctx.process.progress import say
from study.config.cells import Cell
from study.config.grid import cells as cells_of
from study.config.sections import section
from study.config.study import StudyConfig
from study.forecast.budget import within
from study.stages import contamination as contamination_reports
from study.stages import report as reporting
from study.stages import summary
from study.stages.bases import Base, prepare
from study.stages.exam_runs import examined
from study.stages.summary import Summary
from study.stages.tasks import Serving, exams_of, tasks_of
from study.tracking.cell_runs import track_cells
from study.tracking.registry import Registered, register
from study.tracking.study_run import study_run
from study.workflow.commands import SILENT, call
from study.workflow.executors.opened import opened
from study.workflow.graph import Results, Run, carry_out
from study.workflow.lineage import Lineage


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a study leaves for people. ``table`` and ``report`` are empty where nothing could be examined."""

    folder: Path
    report: Path
    table: str
    registered: list[Registered]
    summary: Summary


def _serving(config: StudyConfig, bases: Mapping[str, Base], cells: Sequence[Cell]) -> Serving:
    """Whether adapters are hot-loaded or merged: as the study says, else as the exam's own estimate advises."""
    if config.adapters != "auto":
        return "merged" if config.adapters == "merged" else "hot"
    base = next((one for one in bases.values() if one.folder is not None), None)
    if base is None or not any(cell.trained for cell in cells):
        return "hot"
    probe = config.work / "steps" / "estimate.yaml"
    models = [{"name": base.label, "folder": str(base.folder)}]
    write_text(probe, yaml.safe_dump({**section(config, "exam"), "models": models}, allow_unicode=True))
    estimate = json.loads(call(["medctx-eval", "run", "--dry-run", "--config", str(probe)], SILENT))
    say(
        f"The exam: {estimate['items']} items and {estimate['books']} Books per cell, {len(cells)} cells; "
        f"adapters are {'merged, one server start each' if estimate['adapters'] == 'merged' else 'hot-loaded'}."
    )
    return "merged" if estimate["adapters"] == "merged" else "hot"


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Hold a study: started twice it would write its report twice. Different studies share steps and may run side by
    side.
    """
    # Beside the folder, which goes to the tracker as it is.
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MedctxError(
                f"The study {name} is running already in {folder}; wait for it, stop it, or choose another folder with "
                "work=FOLDER."
            ) from None
        yield


def _say_missing(found: Summary) -> None:
    missing = found.missing
    if missing:
        are = "is" if len(missing) == 1 else "are"
        say(f"{len(missing)} of {len(found.cells)} cells {are} missing from the report:")
        for one in missing:
            say(f"  {one.cell.name}: {one.reason}")


def run(config: StudyConfig) -> Outcome:
    """Run a study; what is done is not done again."""
    out = config.work / "studies" / config.name
    out.mkdir(parents=True, exist_ok=True)
    config = within(config, keep=True)
    cells = cells_of(config)
    with only_one(out, config.name), study_run(config, out) as tracked:
        configs.save(config, out / "study.yaml")
        tracked.params(
            config.model_dump(
                mode="json",
                exclude={"mix", "train", "exam", "report", "curriculum", "models", "recipes", "arms", "executor"},
            )
        )
        tracked.tags({"study": config.name})
        lineage = Lineage(tracked.id, config.name)
        bases, lost = prepare(config)
        tasks = tasks_of(config, cells, bases, _serving(config, bases, cells))
        with opened(config.executor) as executor:
            carrying = Run(executor, lineage, config.work, config.executor.retries)
            results = carry_out(tasks, carrying)
            exams = examined(exams_of(cells, bases), results)
            why = {cell.name: lost[cell.base] for cell in cells if cell.base in lost}
            found = summary.results_of(cells, results, {name: one.run for name, one in exams.items()}, why)
            held = (
                carry_out(contamination_reports.tasks(found, contamination_reports.exam_plans(exams)), carrying)
                if config.contamination_report
                else Results()
            )
        told = Summary(study=config.name, title=config.title, cells=found, report=out, run_id=tracked.id)
        write_record(out / summary.FILE, told)
        _say_missing(told)
        if not exams:
            reason = next(iter(results.failed.values()), "its exam names no finished run")
            raise MedctxError(f"No cell of the study {config.name} was examined: {reason}")
        table = reporting.write(config, found, exams, out, contamination_reports.contamination_reports(held))
        digests = {label: base.weights_digest for label, base in bases.items()}
        registered = register(config, tracked, out, found, exams, lineage, digests)
        track_cells(lineage, found, out)
        tracked.artifact(out, "report")
    return Outcome(out, out / "report.html", table, registered, told)
