"""The console command ``medctx-eval``."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medctx.config import loading as configs
from medctx.config.cli import (
    config_command,
    config_path,
    documents,
    finish_program,
    required,
    step_options,
    step_options_into,
)
from medctx.config.command_result import PartialError, output_console, reported
from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.process.progress import say
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.exam_run import EXAM_FILE, ExamManifest
from medctx.schemas.report import REPORT_FILE
from medctx.schemas.result import RESULT_FILE, CommandResult, Output
from medctx_eval.cli.compare import compare
from medctx_eval.cli.exams import exams
from medctx_eval.cli.export import export
from medctx_eval.cli.model import model as model_command
from medctx_eval.cli.power import power
from medctx_eval.cli.serve import serve

if TYPE_CHECKING:
    from medctx_eval.run.config import RunConfig


@click.group()
def main() -> None:
    """Examine language models with closed and open books, and compare them."""


def _run_config() -> type[Config]:
    from medctx_eval.run.config import RunConfig

    return RunConfig


def _report_config() -> type[Config]:
    from medctx_eval.report.config import ReportConfig

    return ReportConfig


def _demo_config() -> type[Config]:
    from medctx_eval.demo.server import DemoConfig

    return DemoConfig


for command in (
    exams,
    compare,
    export,
    model_command,
    power,
    serve,
    config_command({"run": _run_config, "report": _report_config, "demo": _demo_config}),
):
    main.add_command(command)


def _exam_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of exams, for the completion in shells."""
    from medctx_eval.exams.registry import EXAMS

    return [name for name in EXAMS if name.startswith(incomplete)]


def _quoted(text: str) -> str:
    """A text as a YAML scalar that stays a string."""
    return "'" + text.replace("'", "''") + "'"


def _as_overrides(
    endpoint: tuple[str, ...], model: str, exams: tuple[str, ...], conditions: tuple[str, ...], limit: int | None
) -> list[str]:
    """The options for a single model behind a server, as overrides of the config."""
    overrides = []
    if endpoint:
        overrides += ["engine=endpoint", f"urls=[{', '.join(map(_quoted, endpoint))}]"]
    if model:
        overrides.append(f"models=[{{name: {_quoted(model)}}}]")
    if exams:
        settings = f", limit: {limit}" if limit else ""
        settings += f", conditions: [{', '.join(map(_quoted, conditions))}]" if conditions else ""
        overrides.append(f"exams=[{', '.join(f'{{exam: {_quoted(exam)}{settings}}}' for exam in exams)}]")
    return overrides


def _narrowed(config: RunConfig, conditions: tuple[str, ...], limit: int | None) -> RunConfig:
    """A config whose exams are asked under these conditions, at most so many items each."""
    changes: dict[str, object] = {"conditions": conditions} if conditions else {}
    changes |= {"limit": limit} if limit else {}
    exams = [type(exam).model_validate(exam.model_dump(exclude_unset=True) | changes) for exam in config.exams]
    return config.model_copy(update={"exams": tuple(exams)})


@main.command(cls=documents(_run_config))
@click.option("--endpoint", multiple=True, help="Address of an OpenAI-compatible server; several serve the same model.")
@click.option(
    "--model",
    default="",
    help="The model's name at the endpoint; may be left out if it serves one. Without an endpoint: a folder, a hub ID, "
    "an embedded model or a registered adapter (models:/NAME@ALIAS), which is loaded here. An adapter of a study is "
    "asked the study's exam unless --exam or --config says otherwise.",
)
@click.option(
    "--exam",
    "exam_names",
    multiple=True,
    shell_complete=_exam_names,
    help="An exam by name (medctx-eval exams list), or a file of your own; may be repeated.",
)
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    help="closed (default), gold, open:<tokens>, distractor or counterfactual; may be repeated.",
)
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Most items of each exam.")
@click.option("--trust-config", is_flag=True, help="The --config file is your own: it may choose programs and servers.")
@step_options_into(Path("medctx-runs"))
@reported
def run(
    endpoint: tuple[str, ...],
    model: str,
    exam_names: tuple[str, ...],
    conditions: tuple[str, ...],
    limit: int | None,
    trust_config: bool,
    config: str,
    overrides: tuple[str, ...],
    out: Path | None,
    dry_run: bool,
) -> CommandResult:
    """Examine the models of a config; running it again asks only what is missing."""
    from medctx_eval.run import examine
    from medctx_eval.run.config import RunConfig
    from medctx_eval.run.trust import require_trust

    file = config_path(config)
    here = bool(model) and not endpoint and not configs.load(RunConfig, file, overrides).urls
    from_options = _as_overrides(endpoint, "" if here else model, exam_names, conditions, limit)
    if here:
        from medctx_eval.artifacts.local_model import locate

        located = locate(model)
        from_options.append(f"models=[{located.as_config()}]")
        if file is None and not exam_names and located.exam_settings is not None:
            file = located.exam_settings
            say(f"{model} is examined as its study did ({file}); --exam or --config asks something else.")
    typed = [*from_options, *overrides]
    resolved = configs.load(RunConfig, file, typed)
    if file is not None:
        require_trust(resolved, file, configs.override_keys(typed), trusted=trust_config)
    if not resolved.exams:
        raise MedctxError(
            "There is no exam to ask; give --exam with a name (medctx-eval exams list) or a file of yours."
        )
    if not exam_names and (conditions or limit):
        resolved = _narrowed(resolved, conditions, limit)
    if dry_run:
        estimate = examine.dry_run(resolved)
        click.echo(estimate.model_dump_json(indent=2))
        return CommandResult(
            status="dry-run",
            numbers={name: number for name, number in estimate.model_dump().items() if isinstance(number, int | float)},
            labels={"adapters": estimate.adapters}
            | {f"example {kind}": text for kind, text in estimate.examples.items()},
            exam_parts=estimate.parts,
            exam_cards=estimate.cards,
        )
    folders: list[Path] = []

    def finished(folder: Path) -> None:
        folders.append(folder)
        click.echo(str(folder))

    try:
        examine.examine(resolved, required(out), finished)
    except MedctxError as error:
        if not folders:
            raise
        raise PartialError(str(error), _examined(folders)) from None
    return _examined(folders)


def _examined(folders: Sequence[Path]) -> CommandResult:
    """The result of examining the models of these run folders, which are siblings."""
    manifests = [read_record(folder / EXAM_FILE, ExamManifest) for folder in folders]
    runs = [
        Output(kind="exam-run", path=Path(folder.name), name=manifest.model, digest=manifest.key)
        for folder, manifest in zip(folders, manifests, strict=True)
    ]
    plans = dict.fromkeys(manifest.exam_plan for manifest in manifests)
    return CommandResult(
        outputs=(*runs, *(Output(kind="exam-plan", path=Path(plan), name=plan) for plan in plans if plan)),
        numbers={"verdicts": sum(manifest.n for manifest in manifests)},
        digests={card.name: card.digest for manifest in manifests for card in manifest.exams},
    )


@main.command(cls=documents(_report_config))
@click.argument("runs", nargs=-1, required=True)
@step_options
@reported
def report(
    runs: tuple[str, ...], config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool
) -> CommandResult:
    """Compare examined models (run folders) in a report: HTML, Markdown, JSON and figures."""
    from medctx_eval.report.config import ReportConfig

    resolved = configs.load(ReportConfig, config_path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return CommandResult(status="dry-run")
    from medctx_eval.interchange.read_runs import resolve_runs
    from medctx_eval.report.build import write_report
    from medctx_eval.report.render.tables import main_table

    # A launcher that passes one argument (MLflow) gives several folders separated by spaces.
    sources = [part for run in runs for part in ([run] if Path(run).exists() else shlex.split(run))]
    with tempfile.TemporaryDirectory(prefix="medctx-") as scratch:
        written = write_report(resolve_runs(sources, Path(scratch)), required(out), resolved)
    output_console().print(main_table(written))
    click.echo(written.headline)
    return _reported(read_record(required(out) / DECISION_FILE, Decision), Path())


def _reported(decision: Decision, folder: Path) -> CommandResult:
    return CommandResult(
        outputs=(
            Output(kind="report", path=folder / "report.html"),
            Output(kind="report", path=folder / REPORT_FILE),
            Output(kind="decision", path=folder / DECISION_FILE),
        ),
        labels={"champion": decision.champion, "reason": decision.reason, "registered": decision.registered},
    )


@main.command(cls=documents(_demo_config))
@step_options
@reported
def demo(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult:
    """Examine built-in models whose behaviour is known; needs no model, no network and no GPU."""
    from medctx_eval.demo.server import BASE, DemoConfig, serve_models
    from medctx_eval.report.build import write_report
    from medctx_eval.report.config import ReportConfig
    from medctx_eval.report.render.tables import main_table
    from medctx_eval.run import examine

    resolved = configs.load(DemoConfig, config_path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return CommandResult(status="dry-run")
    folder = out or Path("medctx-demo")
    with serve_models(resolved) as run_config:
        runs = examine.examine(run_config, folder / "runs")
    settings = ReportConfig(title="Built-in models", base=BASE, draws=resolved.draws)
    written = write_report(runs, folder / "report", settings)
    output_console().print(main_table(written))
    click.echo(written.headline)
    click.echo(str(folder / "report" / "report.html"))
    decision = read_record(folder / "report" / DECISION_FILE, Decision)
    return _reported(decision, Path("report") if out else folder / "report")


def _prepare_verification(out: Path) -> None:
    """Make the folder and remove an earlier result, which would stay there if this verification fails.

    Raises:
        MedctxError: If the result of another command is in the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / RESULT_FILE
    if not file.is_file():
        return
    command = read_record(file, CommandResult).command
    if command != "medctx-eval verify":
        raise MedctxError(f"{file} is the result of {command}; choose another folder with --out.")
    file.unlink()


def _verify_model(source: str) -> CommandResult:
    from medctx_eval.verify.recompute import recompute_verdicts
    from medctx_eval.verify.registered import verify_model

    with tempfile.TemporaryDirectory(prefix="medctx-") as scratch:
        check = verify_model(source, Path(scratch), recompute_verdicts)
    click.echo(
        f"{source} holds: version {check.version}, cell {check.cell}, {check.numbers} numbers of its card, "
        f"{check.verdicts:,} verdicts recomputed from replies."
    )
    return CommandResult(
        numbers={"numbers": check.numbers, "verdicts": check.verdicts},
        labels={"source": source, "kind": "model", "version": check.version, "cell": check.cell},
    )


def _verify_report(folder: Path) -> CommandResult:
    from medctx_eval.verify.recompute import verify_report

    check = verify_report(folder)
    click.echo(
        f"{folder} holds: {check.numbers:,} numbers recomputed from {check.verdicts:,} verdicts of {check.runs} runs, "
        f"{check.files} files match their checksums."
    )
    return CommandResult(
        numbers={"numbers": check.numbers, "verdicts": check.verdicts, "runs": check.runs, "files": check.files},
        labels={"source": str(folder), "kind": "report"},
    )


def _verify_run(folder: Path) -> CommandResult:
    from medctx_eval.verify.recompute import verify_run

    check = verify_run(folder)
    click.echo(
        f"{folder} holds: {check.verdicts:,} verdicts recomputed from replies, {check.files} files match their "
        "checksums."
    )
    return CommandResult(
        numbers={"verdicts": check.verdicts, "files": check.files}, labels={"source": str(folder), "kind": "run"}
    )


@main.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder that result.json is written to.")
@reported
def verify(source: str, out: Path | None) -> CommandResult:
    """Recompute the numbers of a run, a report or a registered model from the replies they come from.

    SOURCE is a run folder, the folder of a report, or a registered model (models:/NAME/VERSION, models:/NAME@ALIAS).
    Prints one line and exits with 0 if everything holds; exits with 2 and names the first thing that does not.
    """
    if out is not None:
        _prepare_verification(out)
    if source.startswith("models:/"):
        return _verify_model(source)
    folder = Path(source)
    if folder.name == REPORT_FILE:
        folder = folder.parent
    if (folder / REPORT_FILE).is_file():
        return _verify_report(folder)
    if (folder / EXAM_FILE).is_file():
        return _verify_run(folder)
    raise MedctxError(f"{source} is neither a run folder nor a report; give one, or models:/NAME@ALIAS.")


finish_program(main, "medctx-eval")


if __name__ == "__main__":
    main()
