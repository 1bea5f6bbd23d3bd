"""The console command ``medctx-eval``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from medctx.config import loading as configs
from medctx.config.cli import config_path, one_sentence, required, step_options
from medctx_eval.cli.compare import compare
from medctx_eval.cli.exams import exams
from medctx_eval.cli.power import power


@click.group()
def main() -> None:
    """Examine language models with closed and open books, and compare them."""


for command in (exams, compare, power):
    main.add_command(command)


def _quoted(text: str) -> str:
    """A text as a YAML scalar that stays a text."""
    return "'" + text.replace("'", "''") + "'"


def _short(
    endpoint: tuple[str, ...], model: str, exams: tuple[str, ...], conditions: tuple[str, ...], limit: int | None
) -> list[str]:
    """The options for a single model behind a server, as overrides of the config."""
    found = []
    if endpoint:
        found += ["engine=endpoint", f"urls=[{', '.join(map(_quoted, endpoint))}]"]
    if model:
        found.append(f"models=[{{name: {_quoted(model)}}}]")
    if exams:
        cap = f", limit: {limit}" if limit else ""
        cap += f", conditions: [{', '.join(map(_quoted, conditions))}]" if conditions else ""
        found.append(f"exams=[{', '.join(f'{{exam: {_quoted(exam)}{cap}}}' for exam in exams)}]")
    return found


@main.command()
@click.option("--endpoint", multiple=True, help="Address of an OpenAI-compatible server; several serve the same model.")
@click.option("--model", default="", help="The model's name at the endpoint.")
@click.option("--exam", "named", multiple=True, help="An exam by name (medctx-eval exams list); may be repeated.")
@click.option(
    "--condition", "conditions", multiple=True, help="closed, gold, open:<tokens>, distractor, counterfactual; closed."
)
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Ask only so many items of each --exam.")
@step_options
@one_sentence
def run(
    endpoint: tuple[str, ...],
    model: str,
    named: tuple[str, ...],
    conditions: tuple[str, ...],
    limit: int | None,
    config: str,
    overrides: tuple[str, ...],
    out: Path | None,
    dry_run: bool,
) -> None:
    """Examine the models of a config; running it again asks only what is missing."""
    from medctx_eval.run import examine as examination
    from medctx_eval.run.config import RunConfig

    short = _short(endpoint, model, named, conditions, limit)
    resolved = configs.load(RunConfig, config_path(config), [*short, *overrides])
    if dry_run:
        click.echo(examination.dry_run(resolved).model_dump_json(indent=2))
        return
    examination.run(resolved, required(out), lambda folder: click.echo(str(folder)))


@main.command()
@click.argument("runs", nargs=-1, required=True)
@step_options
@one_sentence
def report(runs: tuple[str, ...], config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Compare examined models (run folders) in a report: HTML, Markdown, JSON and figures."""
    from rich.console import Console

    from medctx_eval.report.build import build
    from medctx_eval.report.config import ReportConfig
    from medctx_eval.report.decision import file as decision
    from medctx_eval.report.render.tables import main_table

    resolved = configs.load(ReportConfig, config_path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return
    # A launcher that passes one argument (MLflow) gives several folders separated by spaces.
    folders = [Path(part) for run in runs for part in ([run] if Path(run).exists() else shlex.split(run))]
    written = build(folders, required(out), resolved)
    decision.write(written, required(out))
    Console().print(main_table(written))
    click.echo(written.headline)


@main.command()
@step_options
@one_sentence
def demo(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Examine built-in models whose behaviour is known; needs no model, no network and no GPU."""
    from rich.console import Console

    from medctx_eval.demo import run as demo_run
    from medctx_eval.report.render.tables import main_table

    resolved = configs.load(demo_run.DemoConfig, config_path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return
    written = demo_run.demo(resolved, out or Path("medctx-demo"))
    Console().print(main_table(written))
    click.echo(written.headline)
    click.echo(str((out or Path("medctx-demo")) / "report" / "report.html"))


if __name__ == "__main__":
    main()
