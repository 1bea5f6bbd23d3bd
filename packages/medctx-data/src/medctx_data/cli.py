"""The console command ``medctx-data``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

import medctx
from medctx import config as configs
from medctx import tokenizer as tokenizers
from medctx import tracking
from medctx.cli import one_sentence, step_options
from medctx.errors import MedctxError
from medctx.progress import say, track
from medctx_data import folder, show
from medctx_data.count import counter
from medctx_data.manifest import MixManifest
from medctx_data.mix import Mix, Wanted, request_digest, wanted
from medctx_data.mix import mix as make
from medctx_data.mix_config import MixConfig, SourceConfig
from medctx_data.record import record
from medctx_data.sources.card import Supply
from medctx_data.sources.cards import CARDS
from medctx_data.sources.registry import card_of, open_source

CONFIG_FOLDERS = (Path("mixes"), Path(__file__).parent / "configs")


@click.group()
@click.version_option(medctx.__version__, prog_name="medctx-data")
def main() -> None:
    """Sources by name and controlled mixtures of general and medical Dialogues."""


def _tokenizer_folder(config: MixConfig) -> Path:
    if config.tokenizer is None:
        raise MedctxError(
            "The key tokenizer is missing; give the folder of the model that will be trained, "
            "for example --set tokenizer=models/base."
        )
    tokenizers.require_tokenizer(config.tokenizer)
    return config.tokenizer


def _announce(sources: Sequence[Wanted]) -> None:
    """Say what licences forbid, before the data is used."""
    for one in sources:
        if one.card.restriction:
            say(f"licence of {one.quota.label}: {one.card.licence} ({one.card.restriction})")


def _mix(config: MixConfig, sources: Sequence[Wanted], tokenizer: Path, request: str) -> Mix:
    count = counter(tokenizers.load(tokenizer))

    def opened(source: SourceConfig) -> Supply:
        return open_source(source, config.seed, config.curriculum)

    with track("mix", config.budget, config.by) as advance:
        return make(config, sources, request, open_one=opened, count=count, advance=advance)


def _finish(manifest: MixManifest, out: Path | None) -> None:
    show.console().print(show.shares(manifest))
    if out:
        click.echo(f"{out / folder.DIALOGUES}  digest {manifest.digest[:12]}")


@main.command()
@step_options
@one_sentence
def mix(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Mix sources in a ratio up to a budget and write the Dialogues to --out."""
    path = configs.find(config, CONFIG_FOLDERS) if config else None
    settings = configs.load(MixConfig, path, overrides)
    if out is None and not dry_run:
        raise MedctxError("The option --out is missing; name the folder of the mix, or look first with --dry-run.")
    tokenizer = _tokenizer_folder(settings)
    sources = wanted(settings)
    _announce(sources)
    request = request_digest(settings, sources, tokenizer)
    if dry_run or out is None:
        _finish(_mix(settings, sources, tokenizer, request).manifest, None)
        return
    manifest = folder.existing(out, request)
    if manifest is not None:
        say(f"{out} already holds this mix; nothing to do.")
    else:
        made = _mix(settings, sources, tokenizer, request)
        folder.write(out, settings, made)
    if manifest is None or "MLFLOW_RUN_ID" in os.environ:
        # A run that is joined may be new although the mix is not; it must name its data all the same.
        with tracking.run("mix", out.name) as run:
            record(run, settings, manifest or made.manifest, out)
    _finish(manifest or made.manifest, out)


@main.command()
@click.argument("mixed", metavar="FOLDER", type=click.Path(path_type=Path))
@one_sentence
def inspect(mixed: Path) -> None:
    """Show the shares, the lengths and three Dialogues of a mix, and check its digest."""
    found = folder.read(mixed)
    screen = show.console()
    screen.print(show.shares(found.manifest))
    screen.print(show.lengths(found.manifest))
    for dialogue in show.examples(found.dialogues):
        click.echo(show.text_of(dialogue))


@main.group(invoke_without_command=True)
@click.pass_context
def sources(context: click.Context) -> None:
    """List the sources medctx knows by name."""
    if context.invoked_subcommand is None:
        show.console().print(show.sources(CARDS.values()))


@sources.command("show")
@click.argument("name")
@one_sentence
def show_source(name: str) -> None:
    """Print the card of the source NAME."""
    show.console().print(show.card(card_of(name)))


if __name__ == "__main__":
    main()
