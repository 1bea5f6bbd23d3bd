"""A whole study from its config to its registered models. Reads top to bottom."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record, write_text
from medctx.io.masking import mask_secrets
from medctx.process.progress import say
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.report import REPORT_FILE, ReportCore
from medctx.tracking import mlflow_run
from study.config.cells import Cell
from study.config.grid import cells as cells_of
from study.config.sections import section
from study.config.study import ExecutorConfig, StudyConfig
from study.forecast.budget import with_budget
from study.forecast.exam_cost import exam_dry_run
from study.stages import contamination
from study.stages.bases import Base, prepare
from study.stages.exam_runs import ExamRun, exam_plans, exam_runs, exams_of
from study.stages.records import SUMMARY_FILE, CellResult, Outcome, Registered, StudySummary
from study.stages.report import write_report
from study.stages.results import cell_results
from study.stages.tasks import Serving, tasks_of
from study.tracking.cell_runs import track_cells
from study.tracking.model_card import model_card
from study.tracking.registry import StudyTracking, adapters, register
from study.tracking.scores import description_of, study_metrics
from study.workflow.executors.local import LocalExecutor
from study.workflow.executors.ray import RayExecutor
from study.workflow.graph import Results, Setting, run_tasks
from study.workflow.job import Executor
from study.workflow.lineage import Lineage

SECTIONS = {"mix", "train", "exam", "report", "curriculum", "models", "recipes", "arms", "executor"}


def _serving(config: StudyConfig, bases: Mapping[str, Base], cells: Sequence[Cell]) -> Serving:
    """Whether adapters are hot-loaded or merged: as the study says, else as a dry run of the exam advises."""
    if config.adapters != "auto":
        return config.adapters
    base = next((base for base in bases.values() if base.folder is not None), None)
    if base is None or not any(cell.trained for cell in cells):
        return "hot"
    models = [{"name": base.label, "folder": str(base.folder)}]
    result = exam_dry_run(section(config, "exam"), models, "", config.folder)
    serving: Serving = "merged" if result.labels["adapters"] == "merged" else "hot"
    say(
        f"The exam: {result.numbers['items']:.0f} items and {result.numbers['books']:.0f} Books per cell, {len(cells)} "
        f"cells; adapters are {'merged, one server start each' if serving == 'merged' else 'hot-loaded'}."
    )
    return serving


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Hold a study, which would write its report twice if it ran twice; different studies may run side by side."""
    # Beside the folder, which is logged to the tracker as a whole.
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MedctxError(
                f"The study {name} is running already in {folder}; wait for it, stop it, or choose another folder with "
                "work=FOLDER."
            ) from None
        yield


@contextmanager
def _executor(config: ExecutorConfig) -> Iterator[Executor]:
    executor: Executor = RayExecutor(config) if config.kind == "ray" else LocalExecutor(config)
    try:
        yield executor
    finally:
        executor.close()


@contextmanager
def study_run(config: StudyConfig, folder: Path) -> Iterator[mlflow_run.Run]:
    """The MLflow run of a study; a study that is continued continues its run, one with another config has its own."""
    key = digest.of_text(configs.dump(config))[: digest.SHORT]
    configs.save(config, folder / "study.yaml")
    with ExitStack() as stack:
        try:
            run = stack.enter_context(
                mlflow_run.run("study", config.name, run_file=folder / f".mlflow-run-{key}", prefer_file=True)
            )
            # Before any work: a store or an artifact root that cannot be written would only show at the end.
            run.artifact(folder / "study.yaml", "report")
        except mlflow_run.store_errors() as error:
            store = mask_secrets(str(mlflow_run.client().get_tracking_uri()))
            reason = mask_secrets(next(iter(str(error).splitlines()), "no message")).rstrip(".")
            raise MedctxError(
                f"The MLflow store {store} cannot be used ({reason}); set MLFLOW_TRACKING_URI to one that is reachable "
                "and writable, or MEDCTX_TRACKING=off to log nothing."
            ) from None
        yield run


def _say_missing(summary: StudySummary) -> None:
    missing = summary.missing
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        say(f"{len(missing)} of {len(summary.cells)} cells {verb} missing from the report:")
        for result in missing:
            say(f"  {result.cell.name}: {result.reason}")


def run(config: StudyConfig) -> Outcome:
    """Run a study; finished steps are not run again."""
    out = config.folder
    out.mkdir(parents=True, exist_ok=True)
    config = with_budget(config, keep=True)
    cells = cells_of(config)
    with only_one(out, config.name), study_run(config, out) as tracked:
        tracked.params(config.model_dump(mode="json", exclude=SECTIONS))
        tracked.tags({"study": config.name})
        lineage = Lineage(tracked.id, config.name)
        bases, lost = prepare(config)
        tasks = tasks_of(config, cells, bases, _serving(config, bases, cells))
        with _executor(config.executor) as executor:
            setting = Setting(executor, lineage, config.work, config.executor.retries)
            results = run_tasks(tasks, setting)
            exams = exam_runs(exams_of(cells, bases), results)
            reasons = {cell.name: lost[cell.base] for cell in cells if cell.base in lost}
            rows = cell_results(cells, results, {name: exam.run for name, exam in exams.items()}, reasons)
            compared = Results()
            if config.check_contamination:
                compared = run_tasks(contamination.contamination_tasks(rows, exam_plans(exams)), setting)
        summary = StudySummary(study=config.name, title=config.title, cells=rows, report=out, run_id=tracked.id)
        write_record(out / SUMMARY_FILE, summary)
        _say_missing(summary)
        if not exams:
            reason = next(iter(results.failed.values()), "its exam reports no finished run")
            raise MedctxError(f"No cell of the study {config.name} was examined: {reason}")
        table = write_report(config, rows, exams, out, contamination.contamination_folders(compared))
        registered = _track(config, tracked, lineage, rows, bases, exams)
    return Outcome(out, table, tuple(registered), summary)


def _track(
    config: StudyConfig,
    tracked: mlflow_run.Run,
    lineage: Lineage,
    rows: Sequence[CellResult],
    bases: Mapping[str, Base],
    exams: Mapping[str, ExamRun],
) -> list[Registered]:
    """Log and register what was made. A store that fails now costs the log only: the same command logs it again."""
    out = config.folder
    report, decision = read_record(out / REPORT_FILE, ReportCore), read_record(out / DECISION_FILE, Decision)
    cards = {
        result.cell.name: model_card(config, bases[result.cell.base], result, report, decision)
        for result in adapters(rows)
    }
    for result in adapters(rows):
        write_text(Path(str(result.weights)) / "README.md", cards[result.cell.name])
    if not lineage.on:
        return []
    try:
        notes = {name: description_of(card) for name, card in cards.items()}
        cells = track_cells(config, lineage, bases, rows, report, notes)
        registered = register(config, lineage, rows, StudyTracking(decision, bases, exams, cells, cards))
        lineage.write_study(
            study_metrics(report, rows, decision.champion),
            {"champion": decision.champion, "mlflow.note.content": f"{config.title}\n\n{decision.reason}"},
        )
        tracked.artifact(out, "report")
    except mlflow_run.store_errors() as error:
        say(f"Not all was logged, the MLflow store failed ({str(error).splitlines()[0]}); the same command logs it.")
        return []
    return registered
