"""The command line of a study: ``python -m study``.

The libraries that fit a law take seconds to import, so only the commands that fit one import them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from medctx.config import loading as configs
from medctx.config.cli import TRUST_VARIABLE, add_version, config_command
from medctx.config.command_result import reported
from medctx.errors import MedctxError
from medctx.io.masking import mask_secrets
from medctx.process.progress import say
from medctx.schemas.result import CommandResult, Output
from medctx.tracking import mlflow_run
from study.config.study import STUDIES, StudyConfig, load_study
from study.law.recommend.records import CONFIDENCE, UTILITY

if TYPE_CHECKING:
    from study.stages.records import Outcome

POSITIVE_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
TERMINATED = 128 + signal.SIGTERM


@click.group()
def main() -> None:
    """Whole studies: mixtures, fine-tuning, exam, report and registry."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: the study ends as if it was interrupted, and leaves no MLflow run RUNNING."""


def _terminate(signal_number: int, frame: FrameType | None) -> None:
    raise Terminated


def _show(outcome: Outcome) -> None:
    from study.registration.outcome import primary_sentence

    click.echo(outcome.table)
    click.echo(f"report      {(outcome.folder / 'report.html').resolve()}")
    if outcome.summary.run_id:
        mlflow = mlflow_run.client()
        uri = mask_secrets(str(mlflow.get_tracking_uri()))
        click.echo(f"MLflow run  {outcome.summary.run_id} in {uri} (look: mlflow ui --backend-store-uri {uri})")
    for version in outcome.registered:
        aliases = "".join(f" @{alias}" for alias in version.aliases)
        click.echo(f"registered  {version.model} version {version.version}: cell {version.cell}{aliases}")
    if outcome.primary is not None:
        click.echo(f"primary     {primary_sentence(outcome.primary)}")


def _trust_config(context: click.Context, parameter: click.Parameter, trusted: bool) -> None:
    """Tell the commands that the study calls, on whatever machine, that its file is trusted."""
    if trusted:
        os.environ[TRUST_VARIABLE] = "1"


_STUDY_OPTIONS = (
    click.argument("name"),
    click.option("--with", "overlays", multiple=True, metavar="NAME", help="Merge studies/with/NAME.yaml into it."),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the study."),
    click.option(
        "--trust-config",
        is_flag=True,
        expose_value=False,
        callback=_trust_config,
        help="The study's files are your own: they may choose programs and servers.",
    ),
)


def study_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the name of a study and what changes its config: ``--with``, ``--set`` and ``--trust-config``."""
    for option in reversed(_STUDY_OPTIONS):
        command = option(command)
    return command


@main.command("run")
@study_options
@click.option("--dry-run", is_flag=True, help="Check sections, sources, exams and bases; show costs, rows, questions.")
@click.option("--recommend", "recommending", is_flag=True, help="End with the recommended composition as a cell.")
@reported
def run_study(
    name: str, overlays: tuple[str, ...], overrides: tuple[str, ...], dry_run: bool, recommending: bool
) -> CommandResult:
    """Run a study by name (studies/NAME.yaml) or path; the same command continues a killed one."""
    from study.config.grid import cells

    config = load_study(name, overlays, overrides)
    if recommending:
        from study.recommendation import require_recommendable

        require_recommendable(config)
    if dry_run:
        from study.stages.rehearsal import rehearse

        rehearsal = rehearse(config)
        # After the rehearsal, which imports numpy and scipy while its commands run.
        from study.forecast.dry_run import plan_text
        from study.registration.power import plan_sentence

        click.echo(plan_text(config, rehearsal.exam))
        if rehearsal.plan is not None:
            click.echo(f"plan        {plan_sentence(rehearsal.plan)}")
        if recommending:
            click.echo("then        the recommended composition, trained with every seed and examined as a cell")
        for text in (*rehearsal.examples, *rehearsal.notes):
            click.echo(f"\n{text}")
        for problem in rehearsal.problems:
            click.echo(f"error: {problem}", err=True)
        return CommandResult(
            status="unfinished" if rehearsal.problems else "dry-run",
            message=" ".join(rehearsal.problems),
            numbers={"cells": len(cells(config)), "problems": len(rehearsal.problems)},
        )
    trained = [cell for cell in cells(config) if cell.trained]
    say(f"Study {config.name}: {len(trained)} trained cells and {len(config.labels)} untouched.")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        outcome = _run(config, recommending)
    except Terminated:
        raise SystemExit(TERMINATED) from None
    return _result(outcome)


def _result(outcome: Outcome) -> CommandResult:
    missing = [result.cell.name for result in outcome.summary.missing]
    incomplete = [*missing, *outcome.unconfirmed]
    return CommandResult(
        status="unfinished" if incomplete else "finished",
        message=f"Not done or not confirmed: {', '.join(incomplete)}." if incomplete else "",
        outputs=(
            Output(kind="report", path=(outcome.folder / "report.html").resolve()),
            Output(kind="report", path=(outcome.folder / "report.json").resolve()),
        ),
        numbers={"cells": len(outcome.summary.cells), "missing": len(missing)},
        labels={f"{item.model} {item.version}": item.cell for item in outcome.registered},
    )


def _run(config: StudyConfig, recommending: bool) -> Outcome:
    from study.pipeline import run_pipeline

    if not recommending:
        outcome = run_pipeline(config)
        _show(outcome)
        return outcome
    from study.law.output import publish
    from study.recommendation import run_recommended

    recommended = run_recommended(config, run_pipeline)
    _show(recommended.outcome)
    publish.show_recommendation(recommended.recommendation)
    if recommended.check is not None:
        publish.show_check(recommended.check)
    return recommended.outcome


@main.command("power")
@study_options
@click.option("--difference", type=POSITIVE_SHARE, help="Difference, as a share of 1, to state the power for [plan's].")
@click.option("--power", "target", type=POSITIVE_SHARE, help="Power to state the smallest difference for [plan's].")
@reported
def power(
    name: str, overlays: tuple[str, ...], overrides: tuple[str, ...], difference: float | None, target: float | None
) -> CommandResult:
    """Say how small a difference a study sees, before anything is trained."""
    from study.forecast.budget import budget_of, with_budget
    from study.registration.exam_size import planned
    from study.registration.power import plan_sentence
    from study.registration.table import power_text

    config = load_study(name, overlays, overrides)
    config = with_budget(config, budget_of(config))
    plan = planned(config)
    if plan is None:
        raise MedctxError(
            f"The study {config.name} trains nothing or asks neither knowledge nor reading, so it has no contrast; "
            "give ratios, and an exam with the conditions closed, gold or open."
        )
    click.echo(power_text(plan, difference, target))
    return CommandResult(status="dry-run", labels={"plan": plan_sentence(plan)})


@main.command("list")
@reported
def list_studies() -> CommandResult:
    """Name the studies that come with the project."""
    titles = {file.stem: configs.load(StudyConfig, file).title for file in sorted(STUDIES.glob("*.yaml"))}
    width = max(map(len, titles))
    for name, title in titles.items():
        click.echo(f"{name:{width}} {title}")
    return CommandResult(labels=titles)


OUT = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="The folder for law.json, law.md and pictures."
)
PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="STUDY...")


def _files(folder: Path, *names: str) -> CommandResult:
    return CommandResult(
        outputs=tuple(Output(kind="file", path=(folder / name).resolve(), name=name) for name in names)
    )


@main.command("law")
@PATHS
@OUT
@click.option("--margin", type=POSITIVE_SHARE, help="Difference that counts as none [report's].")
@reported
def law(paths: tuple[Path, ...], out: Path | None, margin: float | None) -> CommandResult:
    """Fit the mixing law to finished studies, and report how well it predicts cells that were left out.

    STUDY is the folder of a finished study (work/studies/NAME), a report.json, or a .csv table with the columns
    ratio, amount, size, seed, items, knowledge, reading (the last two in per cent; ratio "base" for the untouched
    model). Several are taken together. Nothing is written without --out.
    """
    from study.law.output import publish

    fitted = publish.fit_law(paths, margin)
    publish.show_law(fitted.record)
    if out is not None:
        publish.write_law(fitted, out)
        say(f"Written: {out / publish.LAW}, {out / publish.PAGE} and pictures.")
        return _files(out, publish.LAW, publish.PAGE)
    return CommandResult(status="dry-run")


@main.command("recommend")
@PATHS
@OUT
@click.option("--utility", default=UTILITY, show_default=True, help="Maximised, such as 0.5*knowledge + 0.5*reading.")
@click.option("--margin", type=POSITIVE_SHARE, help="Loss of reading that counts as none [the report's].")
@click.option("--no-margin", is_flag=True, help="Reading is not constrained.")
@click.option(
    "--confidence",
    type=POSITIVE_SHARE,
    default=CONFIDENCE,
    show_default=True,
    help="How probable it must be that reading is kept.",
)
@click.option("--amount", type=click.FloatRange(0, min_open=True), help="Of training data [that of most cells].")
@click.option("--seeds", type=click.IntRange(1), help="Runs the composition will be trained [as the study's cells].")
@click.option("--next", "batch", type=click.IntRange(0, 20), default=3, show_default=True, help="Cells to run next.")
@click.option("--replace", is_flag=True, help="Replace a recommendation that was made from other data.")
@click.option(
    "--check",
    "checking",
    is_flag=True,
    help="Compare the forecast with the study, which has run it since.",
)
@reported
def recommend(
    paths: tuple[Path, ...],
    out: Path | None,
    utility: str,
    margin: float | None,
    no_margin: bool,
    confidence: float,
    amount: float | None,
    seeds: int | None,
    batch: int,
    replace: bool,
    checking: bool,
) -> CommandResult:
    """Recommend a composition: the one that knows most and still reads as well as the untouched model.

    Writes a frozen recommendation.json, a picture and a study YAML that runs the composition beside the report (or into
    --out). After that run, --check sets prediction beside measurement.
    """
    from study.law.evidence.sources import read_evidence
    from study.law.output import publish
    from study.law.recommend.records import Options

    if margin is not None and no_margin:
        raise MedctxError("--margin and --no-margin exclude each other; give one of them.")
    folder = publish.folder_of(paths, out)
    if checking:
        publish.show_check(publish.check_recommendation(paths, folder))
        return _files(folder, publish.CHECK)
    evidence = read_evidence(paths)
    options = Options(
        utility=utility,
        margin=None if no_margin else margin or evidence.margin,
        confidence=confidence,
        amount=amount,
        seeds=seeds or evidence.seeds,
        batch=batch,
    )
    publish.show_recommendation(publish.publish_recommendation(evidence, options, folder, replace=replace))
    say(f"Written: {folder / publish.RECOMMENDATION}, {folder / publish.CELL} and a picture.")
    return _files(folder, publish.RECOMMENDATION, publish.CELL)


main.add_command(config_command({"study": lambda: StudyConfig}))
add_version(main, "study")
