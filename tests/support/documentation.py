"""The pages a reader sees, the commands and code blocks in them, and running these as a reader would."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import click
from click.testing import CliRunner

from tests.support.paths import ROOT

PAGES = sorted([ROOT / "README.md", *ROOT.glob("packages/*/README.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = ("medctx-data", "medctx-train", "medctx-eval", "study")


@cache
def programs() -> dict[str, click.Group]:
    """The console commands of the project by name."""
    from medctx_data.cli.main import main as data_main
    from medctx_eval.cli.main import main as eval_main
    from medctx_train.cli import main as train_main
    from study.cli import main as study_main

    return dict(zip(PROGRAMS, (data_main, train_main, eval_main, study_main), strict=True))


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block for name, block in FENCE.findall(text) if name == language]


def command_lines(page: Path) -> Iterator[list[str]]:
    """The commands of a page's unmarked code blocks, continuation lines joined and comments taken off."""
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language not in {"", "bash", "console"} or "->" in block:
            continue
        waiting = ""
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(waiting + line, comments=True)
            except ValueError:  # a quoted text that goes on in the next line
                waiting += line + "\n"
                continue
            waiting = ""
            if words:
                yield words


def program_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """The program and its arguments; ``python -m study`` is the program ``study``."""
    first = Path(words[0]).name
    if first.startswith("python") and list(words[1:3]) == ["-m", "study"]:
        return "study", list(words[3:])
    return ("python" if first.startswith("python") else first), list(words[1:])


def _expanded(word: str) -> list[str]:
    """A word as the shell hands it on: file names in place of a pattern that matches some."""
    return sorted(str(path) for path in Path().glob(word)) or [word] if "*" in word else [word]


def run_command(words: Sequence[str], replacements: Mapping[str, str]) -> str:
    """Run a command of the project in this process and the current folder; returns what it prints.

    Raises:
        AssertionError: The command does not end with 0.
    """
    program, arguments = program_of(words)
    for placeholder, value in replacements.items():
        arguments = [word.replace(placeholder, value) for word in arguments]
    arguments = [part for word in arguments for part in _expanded(word)]
    result = CliRunner().invoke(programs()[program], arguments, prog_name=program)
    assert result.exit_code == 0, f"{shlex.join(words)}\n{result.output[-2000:]}\n{result.exception!r}"
    return result.output


def run_python(code: str, name: str) -> None:
    """Run a Python block of a page in the current folder."""
    exec(compile(code, name, "exec", dont_inherit=True), {"__name__": "example"})
    sys.stdout.flush()
