"""The outcome of a console command for other programs: ``result.json`` and ``--json``."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import ParamSpec, TextIO

import click
from rich.console import Console

from medctx import __version__
from medctx.config.failures import failures_as_sentences
from medctx.errors import MedctxError, UnfinishedError
from medctx.io.jsonl import read_record, write_record
from medctx.io.masking import mask_secrets
from medctx.schemas.result import RESULT_FILE, CommandResult
from medctx.tracking import mlflow_run

P = ParamSpec("P")

TABLE_WIDTH = 120


class PartialError(UnfinishedError):
    """Unfinished work, with the result of what is done."""

    def __init__(self, message: str, result: CommandResult) -> None:
        super().__init__(message)
        self.result = result


def reported(command: Callable[P, CommandResult | None]) -> Callable[P, None]:
    """Report the outcome of a command to other programs, and turn a MedctxError into its sentence.

    The command returns a ``CommandResult`` (None: it has nothing to report, as in all but one process of a launch;
    with the status ``unfinished`` it exits with 1). The result is written to ``result.json`` in ``--out``. The option
    ``--json`` is added: it prints the result instead of the usual output. An error is reported in the same way; it does
    not replace the result of a finished command that is in ``--out`` already.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of text.")
    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.pop("as_json", False))
        out = kwargs.get("out")
        folder = out if isinstance(out, Path) and not kwargs.get("dry_run") else None
        exit_code = 0
        with _captured(as_json) as (stdout, text):
            try:
                with failures_as_sentences():
                    result = command(*args, **kwargs)
            except MedctxError as error:
                message = mask_secrets(str(error))
                click.echo(f"error: {message}", err=True)
                exit_code = error.exit_code
                result = error.result if isinstance(error, PartialError) else CommandResult()
                status = "unfinished" if isinstance(error, UnfinishedError) else "error"
                result = result.model_copy(update={"status": status, "message": message})
        if result is not None:
            exit_code = exit_code or (UnfinishedError.exit_code if result.status == "unfinished" else 0)
            result = result.model_copy(
                update={"command": _name(command), "version": __version__, "mlflow_run": mlflow_run.last_run_id()}
            )
            try:
                with failures_as_sentences():
                    if folder is not None and folder.is_dir():
                        _keep(folder / RESULT_FILE, result)
                    if as_json:
                        printed = result.model_copy(update={"text": text.getvalue()})
                        print(printed.model_dump_json(), file=stdout, flush=True)
            except MedctxError as error:
                if not exit_code:
                    click.echo(mask_secrets(f"error: {error}"), err=True)
                    exit_code = error.exit_code
        if exit_code:
            raise SystemExit(exit_code)

    return guarded


@contextmanager
def _captured(on: bool) -> Iterator[tuple[TextIO, io.StringIO]]:
    """The process's stdout for the result alone: what is printed meanwhile is captured.

    What libraries and child processes write to the file descriptor goes to stderr.
    """
    text = io.StringIO()
    if not on:
        yield sys.stdout, text
        return
    stdout, saved = sys.stdout, None
    if stdout is sys.__stdout__ and stdout is not None and stdout.fileno() == 1:
        saved = os.dup(1)
        os.dup2(2, 1)
    try:
        with redirect_stdout(text):
            yield stdout, text
    finally:
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)


def _name(command: Callable[..., object]) -> str:
    """Such as ``medctx-data mix``, whatever the program was called by."""
    context: click.Context | None = click.get_current_context()
    verbs: list[str] = []
    while context is not None and context.parent is not None:
        verbs.insert(0, context.info_name or "")
        context = context.parent
    return " ".join([command.__module__.partition(".")[0].replace("_", "-"), *verbs])


def _keep(file: Path, result: CommandResult) -> None:
    """Write a result, except an error over a finished one. A call that logged nowhere keeps the run logged before."""
    if file.is_file():
        before = read_record(file, CommandResult)
        if before.status == "finished":
            if result.status == "error":
                return
            result = result.model_copy(update={"mlflow_run": result.mlflow_run or before.mlflow_run})
        if result == before:
            return
    write_record(file, result)


def output_console() -> Console:
    """Standard output for tables; of a fixed width where it is no terminal, so that redirected tables are readable."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=TABLE_WIDTH)
