"""The keys of a Config class as rows, text and Markdown."""

from pathlib import Path
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import Field

from medctx.config.cli import config_command, documents
from medctx.config.loading import Config
from medctx.config.reference import config_markdown, config_rows, config_text


class Inner(Config):
    depth: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.5, description="How deep.")


class Outer(Config):
    """An example."""

    name: str = Field(description="What it is\ncalled.")
    kind: Literal["", "one", "two"] = ""
    limit: Annotated[int, Field(ge=1)] | Literal["all"] | None = None
    paths: tuple[Path, ...] = ()
    weights: dict[str, float] = Field(default_factory=dict)
    inner: Inner = Inner()
    several: tuple[Inner, ...] = (Inner(depth=0.25),)
    by_name: dict[str, Inner] = Field(default_factory=dict)


ROWS = {
    "name": ("text", "required", "What it is called."),
    "kind": ('"" | one | two', "''", ""),
    "limit": ("integer (>= 1) | all | null", "null", ""),
    "paths": ("list of path", "[]", ""),
    "weights": ("text -> number", "{}", ""),
    "inner": ("section", "", ""),
    "inner.depth": ("number (>= 0, < 1)", "0.5", "How deep."),
    "several": ("list of section", "[{depth: 0.25}]", ""),
    "several[].depth": ("number (>= 0, < 1)", "0.5", "How deep."),
    "by_name": ("text -> section", "{}", ""),
    "by_name.<name>.depth": ("number (>= 0, < 1)", "0.5", "How deep."),
}


def test_every_key_is_a_row_with_type_bounds_default_and_description() -> None:
    assert {row.key: tuple(row[1:]) for row in config_rows(Outer)} == ROWS


def test_text_and_markdown_hold_every_key() -> None:
    text, table = config_text(Outer, 60), config_markdown(Outer, "Outer")
    assert all(len(line) <= 60 for line in text.splitlines())
    for key in ROWS:
        assert any(line.startswith(key) for line in text.splitlines())
        assert f"| `{key}` |" in table
    assert "| `limit` | integer (>= 1) \\| all \\| null | `null` |  |" in table


def test_the_verb_config_prints_one_config_or_all() -> None:
    command = config_command({"outer": lambda: Outer, "inner": lambda: Inner})
    both = CliRunner().invoke(command).output
    output = CliRunner().invoke(command, ["inner"]).output
    assert "outer: An example." in both and "several[].depth" in both
    assert "depth" in output and "several" not in output
    assert "| `depth` |" in CliRunner().invoke(command, ["inner", "--markdown"]).output
    assert CliRunner().invoke(command, ["other"]).exit_code == 2


def test_help_of_a_documented_command_lists_the_keys() -> None:
    @click.command(cls=documents(lambda: Outer))
    def command() -> None:
        """Do something."""

    assert "inner.depth  [number (>= 0, < 1), default: 0.5]" in CliRunner().invoke(command, ["--help"]).output


@pytest.mark.parametrize("verb", [["mix", "--help"], ["config", "mix"], ["config"]])
def test_medctx_data_shows_the_keys_of_a_mix(verb: list[str]) -> None:
    from medctx_data.cli.main import main

    output = CliRunner().invoke(main, verb).output
    assert "max_tokens  [integer (>= 1), default: 2048]" in output
    assert "sources[].share" in output
