"""The console command ``medctx-data``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

import medctx
from medctx.config import loading as configs
from medctx.config.cli import config_command, documents, one_sentence, step_options
from medctx.config.command_result import output_console, reported
from medctx.errors import MedctxError
from medctx.process.progress import say, track
from medctx.schemas.mix import MixManifest
from medctx.schemas.result import CommandResult, Output
from medctx.text import tokenizer as tokenizers
from medctx.tracking import mlflow_run as tracking
from medctx_data.cli import contamination as ledger_cli
from medctx_data.cli import tables as show
from medctx_data.cli import truncation as account_cli
from medctx_data.mix_folder import write as folder
from medctx_data.mix_folder.mlflow import record
from medctx_data.mixture.compose import Draft, Observed, request_digest
from medctx_data.mixture.compose import mix as make
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draws import Sizing
from medctx_data.mixture.manifest import describe
from medctx_data.mixture.prepare import Tools, prepare
from medctx_data.mixture.quota import SourceRequest, requested
from medctx_data.sources.card import HUB, SourceCard, Supply
from medctx_data.sources.cards import CARDS
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import card_of, open_source
from medctx_data.tokens.count import TokenCounter

CONFIG_FOLDERS = (Path("mixes"), Path(__file__).parent.parent / "configs")


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


def _tell_licence(label: str, card: SourceCard) -> None:
    if card.restriction:
        say(f"licence of {label}: {card.licence} ({card.restriction})")


def _announce(sources: Sequence[SourceRequest]) -> None:
    """Say what licences forbid, before the data is used."""
    for one in sources:
        if one.card.name != HUB:
            _tell_licence(one.quota.label, one.card)


def _draft(config: MixConfig, sources: Sequence[SourceRequest], tokenizer: Path, request: str) -> Draft:
    count = TokenCounter(tokenizer)

    def opened(source: SourceConfig) -> Supply:
        supply = open_source(source, config.seed, config.curriculum)
        if source.source == HUB:
            # Only its own card says what a data set of the hub allows, and its rows are not read yet.
            _tell_licence(source.label, supply.card)
        return supply

    ready = prepare(config, sources, Tools(opened, count, count.name))
    budget = sum(one.quota.budget or 0 for one in sources)
    with track("mix", budget, config.by) as advance:
        return make(config, ready, request, sizing=Sizing(count, config.wrap, count.of_text), advance=advance)


def _previewed(draft: Draft) -> MixManifest:
    observed = Observed()
    for _ in observed.watch(draft.dialogues()):
        pass
    return describe(draft, observed)


def _show(manifest: MixManifest) -> None:
    screen = output_console()
    for table in (show.shares(manifest), show.groups(manifest)):
        if table:
            screen.print(table)


def _result(manifest: MixManifest, out: Path | None) -> CommandResult:
    made = Output(kind="mix", path=Path(), name=out.name, digest=manifest.digest) if out else None
    return CommandResult(
        status="finished" if made else "dry-run",
        outputs=(made,) if made else (),
        numbers={
            "tokens": manifest.tokens,
            "dialogues": manifest.dialogues,
            "general_share": manifest.general_share,
        },
    )


@main.command(cls=documents(lambda: MixConfig))
@step_options
@reported
def mix(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult:
    """Mix sources in a ratio up to a budget and write the Dialogues to --out."""
    path = configs.find(config, CONFIG_FOLDERS) if config else None
    settings = configs.load(MixConfig, path, overrides)
    if out is None and not dry_run:
        raise MedctxError("The option --out is missing; name the folder of the mix, or look first with --dry-run.")
    tokenizer = _tokenizer_folder(settings)
    sources = requested(settings)
    _announce(sources)
    request = request_digest(settings, sources, tokenizer)
    if dry_run or out is None:
        preview = _previewed(_draft(settings, sources, tokenizer, request))
        _show(preview)
        return _result(preview, None)
    manifest = folder.existing(out, request)
    made = manifest is None
    if manifest is None:
        manifest = folder.write(out, _draft(settings, sources, tokenizer, request))
    else:
        say(f"{out} already holds this mix; nothing to do.")
    if made or "MLFLOW_RUN_ID" in os.environ:
        # A run that is joined may be new although the mix is not; it must name its data all the same.
        with tracking.run("mix", out.name) as run:
            record(run, settings, manifest, out)
    _show(manifest)
    click.echo(f"{out}  digest {manifest.digest[:12]}")
    return _result(manifest, out)


@main.command()
@click.argument("mixed", metavar="FOLDER", type=click.Path(path_type=Path))
@one_sentence
def inspect(mixed: Path) -> None:
    """Show shares, drops, lengths and three Dialogues of a mix, and check its digest."""
    manifest = folder.manifest_of(mixed)
    examples = show.examples(folder.checked(mixed, manifest))
    screen = output_console()
    for table in (show.shares(manifest), show.groups(manifest), show.drops(manifest), show.lengths(manifest)):
        if table:
            screen.print(table)
    for dialogue in examples:
        click.echo(show.text_of(dialogue))


main.add_command(ledger_cli.command)
main.add_command(account_cli.command)
main.add_command(config_command({"mix": lambda: MixConfig, "contamination": lambda: ledger_cli.LedgerConfig}))


@main.group(invoke_without_command=True)
@click.pass_context
def sources(context: click.Context) -> None:
    """List the sources medctx knows by name."""
    if context.invoked_subcommand is None:
        output_console().print(show.sources(CARDS.values()))


@sources.command("show")
@click.argument("name")
@one_sentence
def show_source(name: str) -> None:
    """Print the card of the source NAME."""
    output_console().print(show.card(card_of(name)))


if __name__ == "__main__":
    main()
