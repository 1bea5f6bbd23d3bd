"""The console command ``medctx-train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medctx.config import loading as configs
from medctx.config.cli import config_path, one_sentence, required, step_options
from medctx.config.command_result import reported
from medctx.io.jsonl import read_record
from medctx.schemas.result import CommandResult, Output
from medctx.schemas.sft import MERGE_FILE, MergeManifest, RepairManifest, SftManifest

if TYPE_CHECKING:
    from medctx_train.config import SftConfig


@click.group()
def main() -> None:
    """Fine-tune language models on mixtures of Dialogues."""


def _estimate(config: SftConfig, flops: float | None) -> CommandResult:
    from medctx_train.estimate.estimate import estimate as estimate_run

    found = estimate_run(config, flops)
    click.echo(found.model_dump_json(indent=2))
    numbers = {
        "tokens": found.tokens,
        "loss_tokens": found.loss_tokens,
        "steps": found.steps,
        "trained": found.trained,
        "flop": found.flop,
        "seconds": found.seconds,
    }
    if found.peak_memory is not None:
        numbers["peak_memory"] = found.peak_memory
    return CommandResult(
        status="dry-run",
        numbers=numbers,
        labels={"memory_assumed": found.memory_assumed, "time_assumed": found.time_assumed},
    )


def _trained(manifest: SftManifest) -> CommandResult:
    return CommandResult(
        outputs=(
            Output(
                kind="adapter" if manifest.weights == "adapter" else "model",
                path=Path(manifest.weights),
                name=manifest.name,
                digest=manifest.weights_digest,
            ),
        ),
        numbers={
            "tokens": manifest.tokens,
            "loss_tokens": manifest.loss_tokens,
            "steps": manifest.steps,
            "seconds": manifest.seconds,
            "tokens_per_second": manifest.tokens_per_second,
            "last_loss": manifest.last_loss,
        },
        digests={"mix": manifest.mix_digest, "base": manifest.base.weights_digest},
    )


@main.command()
@step_options
@reported
def sft(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult | None:
    """Fine-tune a base model on a mix folder; running it again continues."""
    from medctx_train.config import SftConfig
    from medctx_train.distributed.launch import is_main
    from medctx_train.sft.run import train

    resolved = configs.load(SftConfig, config_path(config), overrides)
    if dry_run:
        return _estimate(resolved, None)
    manifest = train(resolved, required(out))
    if not is_main():
        return None
    click.echo(manifest.model_dump_json(indent=2))
    return _trained(manifest)


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
@reported
def estimate(config: str, overrides: tuple[str, ...], flops: float | None) -> CommandResult:
    """Say tokens, steps, memory and time of a run before any weights are loaded."""
    from medctx_train.config import SftConfig

    return _estimate(configs.load(SftConfig, config_path(config), overrides), flops)


@main.command()
@click.argument("name")
@reported
def base(name: str) -> CommandResult:
    """Prepare a base model (embedded name, folder or hub id) and print its folder."""
    from medctx_train.model.base import prepare

    folder, card = prepare(name)
    click.echo(str(folder))
    made = Output(kind="model", path=folder.resolve(), name=card.name, digest=card.weights_digest)
    return CommandResult(outputs=(made,), labels={"source": card.source, "licence": card.licence})


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
@reported
def merge(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult:
    """Merge an adapter into its base as a plain checkpoint."""
    from medctx_train.checkpoints.merge import merge as run
    from medctx_train.config import MergeConfig

    resolved = configs.load(MergeConfig, config_path(config), overrides)
    if dry_run:
        click.echo(configs.dump(resolved))
        return CommandResult(status="dry-run")
    folder = run(resolved, required(out))
    click.echo(str(folder))
    manifest = read_record(folder / MERGE_FILE, MergeManifest)
    return CommandResult(
        outputs=(Output(kind="model", path=Path(), digest=manifest.weights_digest),),
        numbers={"seconds": manifest.seconds},
        digests={"base": manifest.base.weights_digest, "adapter": manifest.adapter_digest},
    )


@main.command()
@step_options
@reported
def repair(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult:
    """Mend a tuned model without training: arm=scale, interpolate, combine or restore-qk."""
    from medctx_train.repair import run as repairs
    from medctx_train.repair.config import ARMS

    resolved = configs.load_one_of(ARMS, "arm", config_path(config), overrides)
    done = repairs.plan(resolved) if dry_run else repairs.repair(resolved, required(out))
    click.echo(done.model_dump_json(indent=2))
    if not isinstance(done, RepairManifest):
        return CommandResult(status="dry-run", labels={"weights": done.weights}, digests=done.inputs)
    return CommandResult(
        outputs=(Output(kind=done.weights, path=Path(done.weights), digest=done.weights_digest),),
        numbers={"changed": done.changed, "seconds": done.seconds},
        digests=done.inputs,
    )


if __name__ == "__main__":
    main()
