"""Running the packages' console commands: found beside this interpreter, errors passed on as their own sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.process import parent_death as tether

SILENT = {"MEDCTX_TRACKING": "off"}


class StepError(MedctxError):
    """A command failed; its own message is on stderr already."""


def find(command: str) -> str:
    """The console command of this environment, else of the PATH."""
    beside = Path(sys.executable).parent / command
    found = str(beside) if beside.is_file() else shutil.which(command)
    if not found:
        raise MedctxError(
            f"The command {command} is not installed; run: make install (or pip install ./packages/{command})."
        )
    return found


def tethered(arguments: Sequence[str]) -> list[str]:
    """The command line of a command that ends when this process is gone: a killed study must not leave one behind that
    writes beside the next.
    """
    return [sys.executable, tether.__file__, find(arguments[0]), *arguments[1:]]


def call(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command to its end with stderr passed through; returns its stdout."""
    finished = subprocess.run(
        tethered(arguments),
        stdout=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        check=False,
    )
    if finished.returncode != 0:
        raise StepError(
            f"'{' '.join(arguments[:2])}' ended with exit code {finished.returncode}; see its message above. "
            "What is done is kept: the same command continues."
        )
    return finished.stdout
