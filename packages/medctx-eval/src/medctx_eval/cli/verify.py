"""The command ``medctx-eval verify``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from medctx.config.command_result import reported
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.report import REPORT_FILE
from medctx.schemas.result import RESULT_FILE, CommandResult


def _prepare(out: Path) -> None:
    """Make the folder for the result without an earlier one: an error would leave that one, which says that it holds.

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


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder that result.json is written to.")
@reported
def verify(source: str, out: Path | None) -> CommandResult:
    """Recompute the numbers of a run, a report or a registered model from the replies they come from.

    SOURCE is a run folder, the folder of a report, or a registered model (models:/NAME/VERSION, models:/NAME@ALIAS).
    Prints one line and exits with 0 if everything holds; exits with 2 and names the first thing that does not.
    """
    if out is not None:
        _prepare(out)
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
