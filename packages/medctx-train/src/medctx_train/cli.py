"""The console command ``medctx-train``."""

from __future__ import annotations

from pathlib import Path

import click

from medctx.config import loading as configs
from medctx.config.cli import config_path, one_sentence, required, step_options


@click.group()
def main() -> None:
    """Fine-tune language models on mixtures of Dialogues."""


@main.command()
@step_options
@one_sentence
def sft(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Fine-tune a base model on a mix folder; running it again continues."""
    from medctx_train.config import SftConfig
    from medctx_train.distributed.launch import is_main
    from medctx_train.sft.run import train

    resolved = configs.load(SftConfig, config_path(config), overrides)
    if dry_run:
        from medctx_train.estimate.estimate import estimate as estimate_run

        click.echo(estimate_run(resolved).model_dump_json(indent=2))
        return
    manifest = train(resolved, required(out))
    if is_main():
        click.echo(manifest.model_dump_json(indent=2))


@main.command()
@click.option("--config", default="", help="A config of sft by name, or the path of a YAML file.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; dots reach into sections."
)
@click.option(
    "--flops",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="FLOP/s to go by, for example 4e14; else an earlier run's on this machine, else its matrix products'.",
)
@one_sentence
def estimate(config: str, overrides: tuple[str, ...], flops: float | None) -> None:
    """Say tokens, steps, memory and time of a run before any weights are loaded."""
    from medctx_train.config import SftConfig
    from medctx_train.estimate.estimate import estimate as estimate_run

    resolved = configs.load(SftConfig, config_path(config), overrides)
    click.echo(estimate_run(resolved, flops).model_dump_json(indent=2))


@main.command()
@click.argument("name")
@one_sentence
def base(name: str) -> None:
    """Prepare a base model (embedded name, folder or hub id) and print its folder."""
    from medctx_train.model.base import prepare

    folder, _ = prepare(name)
    click.echo(str(folder))


@main.command("launch-configs")
@click.argument("name", default="")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None, help="Copy them all to a folder."
)
@one_sentence
def launch_configs(name: str, out: Path | None) -> None:
    """List the config files for `accelerate launch`; with a NAME print its path, with --out copy them all."""
    from medctx_train.distributed import launch_files

    if out is not None:
        for path in launch_files.copy_to(out):
            click.echo(str(path))
    elif name:
        click.echo(str(launch_files.path_of(name)))
    else:
        for one in launch_files.names():
            click.echo(f"{one:14} {launch_files.about(one)}")


@main.command()
@step_options
@one_sentence
def merge(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Merge an adapter into its base as a plain checkpoint."""
    from medctx_train.checkpoints.merge import merge as run
    from medctx_train.config import MergeConfig

    resolved = configs.load(MergeConfig, config_path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return
    click.echo(str(run(resolved, required(out))))


@main.command()
@step_options
@one_sentence
def repair(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> None:
    """Mend a tuned model without training: arm=scale, interpolate, combine or restore-qk."""
    from medctx_train.repair import run as repairs
    from medctx_train.repair.config import ARMS

    resolved = configs.load_one_of(ARMS, "arm", config_path(config), overrides)
    done = repairs.plan(resolved) if dry_run else repairs.repair(resolved, required(out))
    click.echo(done.model_dump_json(indent=2))


if __name__ == "__main__":
    main()
