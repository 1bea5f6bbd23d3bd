"""Calling the packages' console commands: found beside this interpreter, their outcome read from ``--json``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.process import parent_death
from medctx.schemas.result import CommandResult
from medctx.tracking.mlflow_run import UNTRACKED

MODULES = {
    "medctx-data": "medctx_data.cli.main",
    "medctx-train": "medctx_train.cli",
    "medctx-eval": "medctx_eval.cli.main",
}
"""The modules behind the console commands."""


def find_command(command: str) -> list[str]:
    """How a console command is called: the one beside this interpreter, else its module, else the one on PATH.

    An environment may have the packages on PYTHONPATH alone, as that of ``mlflow run --env-manager uv`` does. The
    command on PATH is then one of another environment.
    """
    beside = Path(sys.executable).parent / command
    if beside.is_file():
        return [str(beside)]
    module = MODULES.get(command, "")
    if module and find_spec(module.partition(".")[0]) is not None:
        return [sys.executable, "-m", module]
    path = shutil.which(command)
    if not path:
        raise MedctxError(
            f"The command {command} is not installed; run: make install (or pip install ./packages/{command})."
        )
    return [path]


def tethered(arguments: Sequence[str]) -> list[str]:
    """The command line of a command that ends when this process is gone.

    A killed study must not leave a command behind that writes beside the next study.
    """
    return [sys.executable, parent_death.__file__, *find_command(arguments[0]), *arguments[1:]]


def parse_result(stdout: str) -> CommandResult | None:
    """The result a command printed with ``--json``; None where it ended before it could print one."""
    try:
        return CommandResult.model_validate_json(stdout)
    except ValidationError:
        return None


def call(arguments: Sequence[str]) -> CommandResult:
    """Run a command that logs nothing to its end; its stderr is passed through.

    Raises:
        MedctxError: With the command's own sentence where it failed.
    """
    finished = subprocess.run(
        tethered([*arguments, "--json"]),
        stdout=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **UNTRACKED},
        check=False,
    )
    result = parse_result(finished.stdout)
    if finished.returncode == 0 and result is not None:
        return result
    raise MedctxError(
        (result.message if result else "")
        or f"'{' '.join(arguments[:2])}' ended with exit code {finished.returncode}; see its message above."
    )
