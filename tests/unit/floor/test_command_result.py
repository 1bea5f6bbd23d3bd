from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import click
import pytest
from click.testing import CliRunner, Result

from medctx.config.cli import step_options
from medctx.config.command_result import PartialError, reported
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.result import RESULT_FILE, CommandResult, Output

End = Literal["finished", "dry-run", "error", "partial", "nothing"]
MADE = Output(kind="adapter", path=Path("adapter"), digest="d")


@click.group()
def program() -> None:
    pass


@program.command()
@click.option("--end", default="finished")
@step_options
@reported
def work(end: End, config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult | None:
    click.echo("a table")
    if out:
        out.mkdir(exist_ok=True)
    if end == "error":
        raise MedctxError("The value 7 is wrong; give 8.")
    if end == "partial":
        raise PartialError("1 of 2 models failed; run it again.", CommandResult(outputs=(MADE,)))
    if end == "nothing":
        return None
    return CommandResult(status="dry-run" if dry_run else "finished", outputs=(MADE,), numbers={"tokens": 5})


def call(*arguments: object) -> Result:
    return CliRunner().invoke(program, ["work", *map(str, arguments)])


def kept(folder: Path) -> CommandResult:
    return read_record(folder / RESULT_FILE, CommandResult)


def test_a_finished_command_writes_its_result_and_prints_as_ever(tmp_path: Path) -> None:
    assert call("--out", tmp_path).stdout == "a table\n"
    result = kept(tmp_path)
    assert (result.status, result.outputs, result.numbers, result.text) == ("finished", (MADE,), {"tokens": 5.0}, "")
    assert result.command == "tests work"


def test_json_is_the_only_thing_printed_and_holds_what_was(tmp_path: Path) -> None:
    printed = CommandResult.model_validate_json(call("--out", tmp_path, "--json").stdout)
    assert printed.text == "a table\n"
    assert printed.model_copy(update={"text": ""}) == kept(tmp_path)


@pytest.mark.parametrize(("end", "status", "code"), [("error", "error", 2), ("partial", "unfinished", 1)])
def test_an_error_is_a_sentence_an_exit_code_and_a_result(end: str, status: str, code: int, tmp_path: Path) -> None:
    ended = call("--end", end, "--out", tmp_path, "--json")
    printed = CommandResult.model_validate_json(ended.stdout)
    assert (ended.exit_code, printed.status) == (code, status)
    assert ended.stderr == f"error: {printed.message}\n"
    assert kept(tmp_path).message == printed.message
    assert printed.outputs == ((MADE,) if end == "partial" else ())


def test_an_error_does_not_replace_the_result_of_what_is_finished(tmp_path: Path) -> None:
    call("--out", tmp_path)
    before = kept(tmp_path)
    assert call("--end", "error", "--out", tmp_path).exit_code == 2
    assert kept(tmp_path) == before


@pytest.mark.parametrize("arguments", [("--dry-run",), ("--end", "nothing")])
def test_what_made_nothing_writes_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    call("--out", tmp_path, *arguments)
    assert not (tmp_path / RESULT_FILE).exists()


def test_what_libraries_and_children_print_stays_out_of_the_json() -> None:
    script = (
        "import os, subprocess\n"
        "from tests.unit.floor.test_command_result import program\n"
        "import tests.unit.floor.test_command_result as module\n"
        "true_echo = module.click.echo\n"
        "def echo(text):\n"
        "    os.write(1, b'from a C library\\n'); subprocess.run(['echo', 'from a child']); true_echo(text)\n"
        "module.click.echo = echo\n"
        "program(['work', '--json'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["text"] == "a table\n"
    assert "from a C library" in ended.stderr
    assert "from a child" in ended.stderr
