"""Every program states its version, completes its words in shells, and prints every command's result as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from medctx import __version__
from medctx_data.cli.main import main as data
from medctx_eval.cli.main import main as evaluation
from medctx_train.cli import main as train
from study.cli import main as study

PROGRAMS: dict[str, click.Group] = {
    "medctx-data": data,
    "medctx-train": train,
    "medctx-eval": evaluation,
    "study": study,
}
WITHOUT_JSON = {"config", "completion", "serve"}
"""They print text for people or shells, or run until they are stopped."""


def _commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for verb, below in command.commands.items():
            yield from _commands(f"{name} {verb}", below)
    else:
        yield name, command


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_states_its_version(name: str) -> None:
    result = CliRunner().invoke(PROGRAMS[name], ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"{name}, version {__version__}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() - {"study"}))
def test_an_installed_program_prints_the_script_that_completes_it(name: str, shell: str) -> None:
    result = CliRunner().invoke(PROGRAMS[name], ["completion", shell])
    assert result.exit_code == 0, result.output
    assert f"_{name.replace('-', '_').upper()}_COMPLETE={shell}_complete" in result.stdout


def test_a_program_that_no_shell_knows_by_name_offers_no_completion() -> None:
    assert "completion" not in study.commands


def test_names_of_exams_are_completed() -> None:
    words = {"COMP_WORDS": "medctx-eval run --exam longh", "COMP_CWORD": "3", "_MEDCTX_EVAL_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(evaluation, prog_name="medctx-eval", env=words)
    assert {line.partition(",")[2] for line in result.stdout.split()} == {f"longhealth-{n}" for n in (1, 2, 3)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_command_offers_its_result_as_json(name: str) -> None:
    for words, command in _commands(name, PROGRAMS[name]):
        options = {option for parameter in command.params for option in parameter.opts}
        assert ("--json" in options) is (words.split()[1] not in WITHOUT_JSON), words


@pytest.mark.parametrize(
    ("name", "words", "key", "value"),
    [
        ("medctx-eval", ["exams", "list"], "medqa", "MIT"),
        ("medctx-eval", ["exams", "schema"], "needed", "id, question, options, answer"),
        ("medctx-data", ["sources"], "medmcqa-train", None),
        ("medctx-data", ["sources", "show", "medmcqa-train"], "name", "medmcqa-train"),
        ("study", ["list"], "smoke", None),
    ],
)
def test_lists_are_read_by_programs(name: str, words: list[str], key: str, value: str | None) -> None:
    result = CliRunner().invoke(PROGRAMS[name], [*words, "--json"])
    assert result.exit_code == 0, result.output
    labels = json.loads(result.stdout)["labels"]
    assert labels[key] == value if value else labels[key]
