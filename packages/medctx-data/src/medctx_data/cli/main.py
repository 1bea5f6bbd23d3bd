"""The console command ``medctx-data``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medctx.config import loading as configs
from medctx.config.cli import config_command, documents, finish_program, step_options
from medctx.config.command_result import output_console, reported
from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.result import CommandResult, Output
from medctx.tracking import mlflow_run as tracking
from medctx_data.cli import contamination, detect, truncation

if TYPE_CHECKING:
    from medctx.schemas.mix import MixManifest

CONFIG_FOLDERS = (Path("mixes"), Path(__file__).parent.parent / "configs")


@click.group()
def main() -> None:
    """Sources by name and controlled mixtures of general and medical Dialogues."""


def _mix_config() -> type[Config]:
    from medctx_data.mixture.config import MixConfig

    return MixConfig


def _print(manifest: MixManifest) -> None:
    from medctx_data.cli import tables

    screen = output_console()
    for table in (tables.shares(manifest), tables.groups(manifest), tables.notes(manifest)):
        if table:
            screen.print(table)


def _result(manifest: MixManifest, out: Path | None) -> CommandResult:
    return CommandResult(
        status="finished" if out else "dry-run",
        outputs=(Output(kind="mix", path=Path(), name=out.name, digest=manifest.digest),) if out else (),
        numbers={
            "tokens": manifest.tokens,
            "loss_tokens": manifest.loss_tokens,
            "dialogues": manifest.dialogues,
            "general_share": manifest.general_share,
        },
    )


@main.command(cls=documents(_mix_config))
@step_options
@reported
def mix(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult:
    """Mix sources in a ratio up to a budget and write the Dialogues to --out."""
    from medctx_data.api import MixJob
    from medctx_data.mix_folder.mlflow import record
    from medctx_data.mixture.config import MixConfig

    path = configs.find(config, CONFIG_FOLDERS) if config else None
    settings = configs.load(MixConfig, path, overrides)
    if out is None and not dry_run:
        raise MedctxError("The option --out is missing; name the folder of the mix, or look first with --dry-run.")
    job = MixJob(settings)
    if dry_run or out is None:
        preview = job.preview()
        _print(preview)
        return _result(preview, None)
    existing = job.existing(out)
    if existing:
        say(f"{out} already holds this mix; nothing to do.")
    manifest = existing or job.write(out)
    if existing is None or "MLFLOW_RUN_ID" in os.environ:
        # A run that is joined may be new although the mix is not; it must name its data all the same.
        with tracking.run("mix", out.name, after_work=True) as run:
            record(run, settings, manifest, out)
    _print(manifest)
    click.echo(f"{out}  digest {manifest.digest[:12]}")
    return _result(manifest, out)


@main.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@reported
def inspect(folder: Path) -> CommandResult:
    """Show shares, drops, lengths and three Dialogues of a mix, and check its digest."""
    from medctx_data.cli import tables
    from medctx_data.mix_folder.write import checked, manifest_of

    manifest = manifest_of(folder)
    examples = tables.examples(checked(folder, manifest))
    screen = output_console()
    _print(manifest)
    for table in (tables.drops(manifest), tables.lengths(manifest)):
        if table:
            screen.print(table)
    for dialogue in examples:
        click.echo(tables.shortened_text(dialogue))
    return _result(manifest, folder).model_copy(
        update={"outputs": (Output(kind="mix", path=folder.resolve(), name=folder.name, digest=manifest.digest),)}
    )


main.add_command(contamination.command)
main.add_command(detect.command)
main.add_command(truncation.command)
main.add_command(config_command({"mix": _mix_config, "contamination": lambda: contamination.ContaminationConfig}))


@main.group(invoke_without_command=True)
@reported
@click.pass_context
def sources(context: click.Context) -> CommandResult | None:
    """List the sources known by name."""
    from medctx_data.cli import tables
    from medctx_data.sources.cards import CARDS

    if context.invoked_subcommand is not None:
        return None
    output_console().print(tables.source_table(CARDS.values()))
    return CommandResult(numbers={"sources": len(CARDS)}, labels={name: card.licence for name, card in CARDS.items()})


@sources.command("show")
@click.argument("name")
@reported
def show_source(name: str) -> CommandResult:
    """Print the card of the source NAME."""
    from medctx_data.cli import tables
    from medctx_data.sources.cards import card_of

    card = card_of(name)
    output_console().print(tables.card_table(card))
    return CommandResult(labels={key: str(value) for key, value in card.model_dump(mode="json").items() if value})


finish_program(main, "medctx-data")


if __name__ == "__main__":
    main()
