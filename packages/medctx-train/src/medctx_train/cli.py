"""The console command ``medctx-train``."""

from __future__ import annotations

from pathlib import Path

import click

from medctx import config as configs
from medctx.cli import one_sentence, step_options
from medctx.errors import MedctxError


@click.group()
def main() -> None:
    """Fine-tune language models on mixtures of Dialogues."""


def _path(name: str) -> Path | None:
    return configs.find(name, [Path.cwd()]) if name else None


def _required(out: Path | None) -> Path:
    if out is None:
        raise MedctxError("There is no folder to write to; give one with --out.")
    return out


@main.command()
@step_options
@one_sentence
def sft(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Fine-tune a base model on a mix folder; running it again continues."""
    from medctx_train.config import SftConfig
    from medctx_train.sft import train

    resolved = configs.load(SftConfig, _path(config), overrides)
    if dry_run:
        from medctx_train.plan import plan

        click.echo(plan(resolved).model_dump_json(indent=2))
        return
    manifest = train(resolved, _required(out))
    click.echo(manifest.model_dump_json(indent=2))


@main.command()
@click.argument("name")
@one_sentence
def base(name: str) -> None:
    """Prepare a base model (embedded name, folder or hub id) and print its folder."""
    from medctx_train.base_model import prepare

    folder, _ = prepare(name)
    click.echo(str(folder))


@main.command()
@step_options
@one_sentence
def merge(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Merge an adapter into its base as a plain checkpoint."""
    from medctx_train.config import MergeConfig
    from medctx_train.merge import merge as run

    resolved = configs.load(MergeConfig, _path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return
    click.echo(str(run(resolved, _required(out))))


if __name__ == "__main__":
    main()
