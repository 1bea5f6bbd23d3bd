"""What all verbs of the console commands share: options, and errors as one sentence with an exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from medctx import __version__
from medctx.config import loading as configs
from medctx.config.failures import failures_as_sentences
from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.io.masking import mask_secrets
from medctx.process.environment import is_switched_on

P = ParamSpec("P")
R = TypeVar("R")
Command = TypeVar("Command", bound=Callable[..., object])
ConfigClass = Callable[[], type[Config]]
"""Gives a Config class when it is called, so that ``--help`` need not import what the class stands on."""


def one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """Turn a MedctxError into its sentence on stderr and its exit code."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with failures_as_sentences():
                return command(*args, **kwargs)
        except MedctxError as error:
            click.echo(mask_secrets(f"error: {error}"), err=True)
            raise SystemExit(error.exit_code) from None

    return guarded


def step_options(command: Command) -> Command:
    """Add ``--config --set --out --dry-run``, the same on all verbs that write something."""
    return step_options_into(None)(command)


def step_options_into(folder: Path | None) -> Callable[[Command], Command]:
    """Return a decorator as ``step_options``, with a folder for ``--out`` where none is given."""
    return functools.partial(_with_options, folder)


def _with_options(folder: Path | None, command: Command) -> Command:
    options = (
        click.option("--config", "config", default="", help="A config by name, or the path of a YAML file."),
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; dots reach into sections."
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=False),
            default=folder,
            show_default=folder is not None,
            help="Folder that the results are written to.",
        ),
        click.option("--dry-run", is_flag=True, help="Show what would be done and what it costs; write nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def config_path(name: str) -> Path | None:
    """Return the file that ``--config`` names: a path, or the stem of a YAML file in the working directory."""
    return configs.find(name, [Path.cwd()]) if name else None


TRUST_VARIABLE = "MEDCTX_TRUST_CONFIG"
"""Environment variable that says that config files are the user's own."""


def is_trusted() -> bool:
    """Whether the environment says that config files are the user's own."""
    return is_switched_on(TRUST_VARIABLE)


def required(out: Path | None) -> Path:
    """Return the folder of ``--out``, which a verb that writes requires."""
    if out is None:
        raise MedctxError("There is no folder to write to; give one with --out.")
    return out


def documents(config_class: ConfigClass) -> type[click.Command]:
    """Return the click class of a command whose ``--help`` ends with the keys of its config.

    Args:
        config_class: Gives the Config class, for example ``lambda: MixConfig``; called only for ``--help``.
    """

    class DocumentedCommand(click.Command):
        """A command with the keys of its config below the options."""

        def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
            """Write the keys of the config."""
            from medctx.config.reference import config_text

            formatter.write("\nKeys of the config, for --config and --set:\n\n")
            formatter.write(f"{config_text(config_class(), formatter.width)}\n")

    return DocumentedCommand


def add_version(group: click.Group, name: str) -> None:
    """Add ``--version`` to a program."""
    click.version_option(__version__, prog_name=name)(group)


def finish_program(group: click.Group, name: str) -> None:
    """Add what every installed program has: ``--version``, and ``completion`` for shells.

    Args:
        group: The program.
        name: What it is called by in a shell; a shell completes the words of a command of this name only.
    """
    add_version(group, name)

    @group.command("completion")
    @click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
    def completion(shell: str) -> None:
        """Print the script that completes commands, options and names in a shell.

        For bash: PROGRAM completion bash > ~/.PROGRAM-completion, and source that file in ~/.bashrc.
        """
        from click.shell_completion import get_completion_class

        complete = get_completion_class(shell)
        assert complete is not None
        click.echo(complete(group, {}, name, f"_{name.replace('-', '_').upper()}_COMPLETE").source())


def config_command(config_classes: Mapping[str, ConfigClass]) -> click.Command:
    """Return the verb ``config [NAME]``, which prints the keys of configs with type, default and description.

    Args:
        config_classes: For every name, mostly that of a verb, what gives its Config class.
    """

    @click.command("config")
    @click.argument("name", required=False, type=click.Choice(list(config_classes)))
    @click.option("--markdown", is_flag=True, help="Print Markdown tables instead of text.")
    @one_sentence
    def config(name: str | None, markdown: bool) -> None:
        """Print the keys of the config NAME: type, default, meaning. Without NAME: those of all configs."""
        from medctx.config.reference import config_markdown, config_text

        for title in [name] if name else config_classes:
            kind = config_classes[title]()
            if markdown:
                click.echo(config_markdown(kind, title))
            else:
                click.echo(f"{title}: {(kind.__doc__ or '').partition(chr(10))[0]}\n\n{config_text(kind)}\n")

    return config
