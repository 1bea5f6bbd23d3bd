"""The console command ``medctx-eval``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from medctx import config as configs
from medctx.cli import one_sentence, step_options
from medctx.errors import MedctxError


@click.group()
def main() -> None:
    """Examine language models with closed and open books, and compare them."""


def _path(name: str) -> Path | None:
    return configs.find(name, [Path.cwd()]) if name else None


def _required(out: Path | None) -> Path:
    if out is None:
        raise MedctxError("There is no folder to write to; give one with --out.")
    return out


@main.command()
@step_options
@one_sentence
def run(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Examine the models of a config; running it again asks only what is missing."""
    from medctx import tokenizer
    from medctx_eval import session
    from medctx_eval.config import RunConfig

    resolved = configs.load(RunConfig, _path(config), overrides)
    if dry_run:
        from medctx_eval.estimate import estimate
        from medctx_eval.runner import Paper

        paper = Paper(resolved, tokenizer.load(session.tokenizer_folder(resolved)))
        click.echo(estimate(paper).model_dump_json(indent=2))
        return
    for folder in session.run(resolved, _required(out)):
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

    resolved = configs.load(ReportConfig, _path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return
    # A launcher that passes one argument (MLflow) gives several folders separated by spaces.
    folders = [Path(part) for run in runs for part in ([run] if Path(run).exists() else shlex.split(run))]
    written = build(folders, _required(out), resolved)
    decision.write(written, _required(out))
    Console().print(main_table(written))
    click.echo(written.headline)


if __name__ == "__main__":
    main()
