"""The command ``medctx-eval verify``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from medctx.config.cli import one_sentence
from medctx.errors import MedctxError
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.report import REPORT_FILE


@click.command()
@click.argument("source")
@one_sentence
def verify(source: str) -> None:
    """Recompute the numbers of a run, a report or a registered model from the replies they come from.

    SOURCE is a run folder, the folder of a report, or a registered model (models:/NAME/VERSION, models:/NAME@ALIAS).
    Prints one line and exits with 0 if everything holds; exits with 2 and names the first thing that does not.
    """
    if source.startswith("models:/"):
        from medctx_eval.verify.registered import verify_model

        with tempfile.TemporaryDirectory(prefix="medctx-") as scratch:
            model = verify_model(source, Path(scratch))
        click.echo(f"{source} holds: version {model.version}, cell {model.cell}, {model.numbers} numbers of its card.")
        return
    folder = Path(source)
    if folder.name == REPORT_FILE:
        folder = folder.parent
    if (folder / REPORT_FILE).is_file():
        from medctx_eval.verify.report import verify_report

        report = verify_report(folder)
        click.echo(
            f"{folder} holds: {report.numbers:,} numbers recomputed from {report.verdicts:,} verdicts of {report.runs} "
            f"runs, {report.files} files match their checksums."
        )
        return
    if not (folder / EXAM_FILE).is_file():
        raise MedctxError(f"{source} is neither a run folder nor a report; give one, or models:/NAME@ALIAS.")
    from medctx_eval.verify.run import verify_run

    run = verify_run(folder)
    click.echo(
        f"{folder} holds: {run.verdicts:,} verdicts recomputed from replies, {run.files} files match their checksums."
    )
