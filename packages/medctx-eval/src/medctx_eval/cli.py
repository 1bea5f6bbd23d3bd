"""The console command ``medctx-eval``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from medctx import config as configs
from medctx.cli import config_path, one_sentence, required, step_options


@click.group()
def main() -> None:
    """Examine language models with closed and open books, and compare them."""


@main.command()
@step_options
@one_sentence
def run(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Examine the models of a config; running it again asks only what is missing."""
    from medctx import tokenizer
    from medctx_eval import session
    from medctx_eval.config import RunConfig

    resolved = configs.load(RunConfig, config_path(config), overrides)
    if dry_run:
        from medctx_eval.estimate import estimate
        from medctx_eval.runner import Paper

        paper = Paper(resolved, tokenizer.load(session.tokenizer_folder(resolved)))
        click.echo(estimate(paper).model_dump_json(indent=2))
        return
    for folder in session.run(resolved, required(out)):
        click.echo(str(folder))


@main.command()
@click.argument("runs", nargs=-1, required=True)
@step_options
@one_sentence
def report(runs: tuple[str, ...], config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Compare examined models (run folders) in a report: HTML, Markdown, JSON and figures."""
    from rich.console import Console

    from medctx_eval import decision
    from medctx_eval.report import ReportConfig, build
    from medctx_eval.report.tables import main_table

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


if __name__ == "__main__":
    main()
