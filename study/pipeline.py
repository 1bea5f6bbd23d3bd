"""A whole study from its config to its registered models. Reads top to bottom."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record
from medctx.io.masking import mask_secrets
from medctx.process.progress import say
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.report import REPORT_FILE, Registration, ReportCore
from medctx.schemas.study_plan import AS_REGISTERED, PLAN_FILE, StudyPlan
from medctx.tracking import mlflow_run
from study.config.cells import StudyCell
from study.config.grid import cells as cells_of
from study.config.sections import section
from study.config.study import ExecutorConfig, StudyConfig
from study.forecast.budget import budget_of, keep_budget, with_budget
from study.forecast.exam_cost import exam_dry_run
from study.registration.exam_size import planned
from study.registration.outcome import primary_metrics
from study.registration.power import plan_sentence
from study.registration.register import read_plan, register, short_digest, trained_before, was_used
from study.stages import confirmation, contamination
from study.stages.bases import Base, prepare_bases
from study.stages.exam_runs import ExamRun, exam_plans, exam_runs, exams_of
from study.stages.records import SUMMARY_FILE, CellResult, Outcome, Registered, StudySummary
from study.stages.report import Attached, write_study_report
from study.stages.results import cell_results
from study.stages.tasks import Serving, tasks_of
from study.tracking.cell_runs import NOTE_TAG, track_cells
from study.tracking.model_card import base_note, card_folder, description_of, model_card, study_card, write_card
from study.tracking.registry import StudyTracking, adapters, register_adapters
from study.tracking.scores import study_metrics
from study.workflow.executors.local import LocalExecutor
from study.workflow.executors.ray import RayExecutor
from study.workflow.graph import Results, Setting, run_tasks
from study.workflow.job import Executor
from study.workflow.lineage import Lineage

FIGURES = "figures"
SECTIONS = {
    "mix", "train", "exam", "report", "confirmation", "plan", "curriculum", "models", "recipes", "arms", "executor",
    "source_sets", "points", "cells",
}  # fmt: skip


def _serving(config: StudyConfig, bases: Mapping[str, Base], cells: Sequence[StudyCell]) -> Serving:
    """Whether adapters are hot-loaded or merged: as the study says, else as a dry run of the exam advises."""
    if config.adapters != "auto":
        return config.adapters
    base = next((base for base in bases.values() if base.folder is not None), None)
    if base is None or not any(cell.trained or bases[cell.base].adapter for cell in cells if cell.base in bases):
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
def study_run(config: StudyConfig, folder: Path, plan: StudyPlan | None = None) -> Iterator[mlflow_run.Run]:
    """The MLflow run of a study; a study that is continued continues its run, one with another config has its own.

    Args:
        config: The study.
        folder: The folder of the study, which its config is written into.
        plan: The plan that was registered in the folder.
    """
    key = digest.of_text(configs.dump(config))[: digest.SHORT]
    configs.save(config, folder / "study.yaml")
    with ExitStack() as stack:
        try:
            run = stack.enter_context(
                mlflow_run.run(
                    "study", config.name, run_file=folder / f".mlflow-run-{key}", prefer_file=True, strict=True
                )
            )
            # Before any work: a store or an artifact root that cannot be written would only show at the end.
            run.artifact(folder / "study.yaml", "report")
            run.params(config.model_dump(mode="json", exclude=SECTIONS))
            run.tags({"study": config.name})
            if plan is not None:
                run.artifact(folder / PLAN_FILE, "report")
                run.tags({"registered_plan": short_digest(plan)})
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


def _registered(config: StudyConfig, out: Path, *, follows: bool) -> StudyPlan | None:
    """Register the plan of a study before anything is trained; of one that ``follows`` another, the other's plan."""
    plan = read_plan(out) if follows else planned(config)
    if plan is None:
        return None
    # A trial decides nothing; a plan under which nothing was trained is not held against anything.
    path = register(plan, out, replace=config.trial or not was_used(out, config.work))
    say(f"Plan {short_digest(plan)} ({path}): {plan_sentence(plan)}.")
    return plan


def _deviations(out: Path, rows: Sequence[CellResult]) -> list[str]:
    """What the report cannot see: cells that were trained before the plan was registered."""
    early = trained_before(out, {row.cell.name: row.trained for row in rows if row.trained is not None})
    return [f"trained before it was registered: {', '.join(early)}"] if early else []


def run_pipeline(config: StudyConfig, *, follows: bool = False, confirm: Sequence[str] = ()) -> Outcome:
    """Run a study; finished steps are not run again.

    Args:
        config: The study.
        follows: Whether it adds cells to a study that was registered and run; its plan stays that study's.
        confirm: Cells that were selected before, to be measured again besides the champion.
    """
    out = config.folder
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(only_one(out, config.name))
        budget = budget_of(config)
        config = with_budget(config, budget)
        cells = cells_of(config)
        # Before anything is written: a study that is refused leaves what a finished one left.
        plan = _registered(config, out, follows=follows)
        keep_budget(budget, out)
        tracked = stack.enter_context(study_run(config, out, plan))
        lineage = Lineage(tracked.id, config.name)
        bases, lost = prepare_bases(config)
        serving = _serving(config, bases, cells)
        with _executor(config.executor) as executor:
            setting = Setting(executor, lineage, config.work, config.executor.retries)
            results = run_tasks(tasks_of(config, cells, bases, serving), setting)
            exams = exam_runs(exams_of(cells, bases), results)
            reasons = {cell.name: lost[cell.base] for cell in cells if cell.base in lost}
            rows = cell_results(cells, results, {name: exam.run for name, exam in exams.items()}, reasons, bases)

            def compared(examined: Sequence[CellResult], plans: Sequence[Path]) -> Results:
                tasks = contamination.contamination_tasks(examined, plans) if config.check_contamination else []
                return run_tasks(tasks, setting)

            overlaps = compared(rows, exam_plans(exams))
            summary = StudySummary(study=config.name, title=config.title, cells=rows, report=out, run_id=tracked.id)
            write_record(out / SUMMARY_FILE, summary)
            _say_missing(summary)
            if not exams:
                reason = next(iter(results.failed.values()), "its exam reports no finished run")
                raise MedctxError(f"No cell of the study {config.name} was examined: {reason}")
            folders = contamination.contamination_folders(overlaps)
            registered = None if plan is None else out / PLAN_FILE
            attached = Attached(registered, folders, deviations=_deviations(out, rows))
            table = write_study_report(config, rows, exams, out, attached)
            selected = [*confirm, read_record(out / DECISION_FILE, Decision).champion]

            def examine(again: StudyConfig, used: Mapping[str, Base], examined: Sequence[StudyCell]) -> Results:
                return run_tasks(tasks_of(again, cells, used, serving, examined), setting)

            confirmed = confirmation.confirm(config, cells, bases, selected, examine)
            if confirmed.runs and not confirmed.missing:
                trained = [row for row in rows if row.cell.group in selected]
                found = contamination.contamination_folders(compared(trained, confirmed.exam_plans))
                attached = replace(attached, confirmation=confirmed.runs, confirmation_contamination=found)
                table = write_study_report(config, rows, exams, out, attached)
        primary = read_record(out / REPORT_FILE, ReportCore).registration
        versions = _track(config, tracked, lineage, rows, bases, exams)
    return Outcome(out, table, tuple(versions), summary, primary, tuple(confirmed.missing))


def moves_aliases(registration: Registration | None, *, trial: bool) -> bool:
    """Whether the study ran and was reported as registered."""
    return not trial and registration is not None and registration.as_registered


def _log_report(tracked: mlflow_run.Run, out: Path) -> None:
    """Attach the report. Hidden files and other folders hold the IDs of runs, for the next start of the study."""
    for path in sorted(out.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            tracked.artifact(path, "report")
        elif path.name == FIGURES:
            tracked.artifact(path, f"report/{FIGURES}")


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
    base_runs = {result.cell.base: result.exam for result in rows if not result.cell.compared}
    cards = {
        result.cell.name: model_card(
            config,
            bases[result.cell.base],
            result,
            report,
            decision,
            registered=lineage.on,
            base_run=base_runs.get(result.cell.base),
        )
        for result in adapters(rows)
    }
    for result in adapters(rows):
        write_card(config, card_folder(config, result), cards[result.cell.name], result.mix)
    if not lineage.on:
        return []
    try:
        notes = {
            result.cell.name: base_note(config, bases[result.cell.base])
            for result in rows
            if not result.cell.compared and result.cell.base in bases
        } | {name: description_of(card) for name, card in cards.items()}
        if report.registration is not None:
            tracked.metrics(primary_metrics(report.registration))
            tracked.tags({"registration": report.registration.statement})
        moves = moves_aliases(report.registration, trial=config.trial)
        cells = track_cells(config, lineage, bases, rows, report, notes)
        if not moves:
            say(f"{config.name} is a trial or was not reported {AS_REGISTERED}: no alias is moved.")
        tracking = StudyTracking(report, decision, bases, exams, cells, cards, moves_aliases=moves)
        for cell in config.cells:
            if cell.endpoint:
                say(f"{cell.cell} is behind an endpoint, so there are no weights of it to register.")
        registered = register_adapters(config, lineage, rows, tracking)
        lineage.write_study(
            study_metrics(report, rows, decision.champion),
            {
                "champion": decision.champion or "none",
                NOTE_TAG: description_of(study_card(config, rows, report, decision)),
            },
        )
        _log_report(tracked, out)
    except mlflow_run.store_errors() as error:
        say(f"Not all was logged, the MLflow store failed ({str(error).splitlines()[0]}); the same command logs it.")
        return []
    return registered
