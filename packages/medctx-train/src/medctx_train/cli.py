"""The console command ``medctx-train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medctx.config import loading as configs
from medctx.config.cli import config_command, config_path, documents, finish_program, required, step_options
from medctx.config.command_result import reported
from medctx.io.jsonl import read_record
from medctx.schemas.result import CommandResult, Output
from medctx.schemas.sft import MERGE_FILE, MergeManifest, RepairManifest, SftManifest

if TYPE_CHECKING:
    from medctx_train.config import SftConfig


def _sft_config() -> type[configs.Config]:
    from medctx_train.config import SftConfig

    return SftConfig


def _merge_config() -> type[configs.Config]:
    from medctx_train.checkpoints.merge import MergeConfig

    return MergeConfig


def _repair_config(arm: str) -> type[configs.Config]:
    from medctx_train.repair.config import ARMS

    return ARMS[arm]


@click.group()
def main() -> None:
    """Fine-tune language models on mixes of Dialogues."""


def _estimate(config: SftConfig, flops: float | None) -> CommandResult:
    from medctx_train.estimate.estimate import estimate_training as estimate_run

    estimated = estimate_run(config, flops)
    click.echo(estimated.model_dump_json(indent=2))
    numbers = {
        "tokens": estimated.tokens,
        "loss_tokens": estimated.loss_tokens,
        "steps": estimated.steps,
        "trained": estimated.trained,
        "flop": estimated.flop,
        "seconds": estimated.seconds,
    }
    if estimated.peak_memory is not None:
        numbers["peak_memory"] = estimated.peak_memory
    return CommandResult(
        status="dry-run",
        numbers=numbers,
        labels={"memory_assumed": estimated.memory_assumed, "time_assumed": estimated.time_assumed},
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


@main.command(cls=documents(_sft_config))
@step_options
@reported
def sft(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult | None:
    """Fine-tune a base model on a mix folder; run again, it continues."""
    from medctx_train.config import SftConfig
    from medctx_train.distributed.launch import is_main
    from medctx_train.estimate.throughput import record_throughput
    from medctx_train.sft.run import train

    resolved = configs.load(SftConfig, config_path(config), overrides)
    if dry_run:
        return _estimate(resolved, None)
    manifest = train(resolved, required(out))
    if not is_main():
        return None
    record_throughput(resolved.base, resolved.method, resolved.row_tokens, manifest)
    click.echo(manifest.model_dump_json(indent=2))
    return _trained(manifest)


@main.command(cls=documents(_sft_config))
@click.option("--config", default="", help="A config of sft by name, or the path of a YAML file.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; dots reach into sections."
)
@click.option(
    "--flops",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="FLOP/s to assume, for example 4e14; default: those of an earlier run on this machine, or a share of what its "
    "matrix products reach.",
)
@reported
def estimate(config: str, overrides: tuple[str, ...], flops: float | None) -> CommandResult:
    """Print tokens, steps, memory and time of a run before any weights are loaded."""
    from medctx_train.config import SftConfig

    return _estimate(configs.load(SftConfig, config_path(config), overrides), flops)


@main.command(cls=documents(_sft_config))
@click.option("--config", default="", help="A config of sft by name, or the path of a YAML file.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; dots reach into sections."
)
@click.option("--only", type=click.Choice(["model", "data"]), help="Check the model alone, or the data alone.")
@reported
def check(config: str, overrides: tuple[str, ...], only: str | None) -> CommandResult:
    """Find what would stop a run of sft before its first step, without an estimate of its time."""
    from medctx.model.base import config_folder
    from medctx_train.config import SftConfig
    from medctx_train.estimate.check import check_data, check_model, check_training

    resolved = configs.load(SftConfig, config_path(config), overrides)
    if only == "model":
        check_model(resolved, config_folder(resolved.base))
        return CommandResult(status="dry-run")
    checked = check_data(resolved, config_folder(resolved.base)) if only == "data" else check_training(resolved)
    click.echo(checked.model_dump_json(indent=2))
    return CommandResult(
        status="dry-run",
        numbers={"dialogues": checked.dialogues, "tokens": checked.tokens, "rows": checked.rows, "fill": checked.fill},
    )


@main.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Fetch config and tokenizer only; an embedded model is not made.")
@reported
def base(name: str, dry_run: bool) -> CommandResult:
    """Prepare a base model (embedded name, folder or hub id) and print its folder."""
    from medctx.io.cache import cache_folder
    from medctx.model.base import config_folder, prepare_base
    from medctx.model.embedded import EMBEDDED, TINY

    if dry_run:
        cached = cache_folder() / name
        if name in {EMBEDDED, TINY} and not (cached / "config.json").is_file():
            return CommandResult(status="dry-run")
        folder = cached if name in {EMBEDDED, TINY} else config_folder(name)
        click.echo(str(folder))
        return CommandResult(status="dry-run", outputs=(Output(kind="model", path=folder.resolve(), name=name),))
    folder, card = prepare_base(name)
    click.echo(str(folder))
    model = Output(kind="model", path=folder.resolve(), name=card.name, digest=card.weights_digest)
    return CommandResult(
        outputs=(model,),
        labels={"source": card.source, "licence": card.licence, "id": card.id, "revision": card.revision},
    )


@main.command("launch-configs")
@click.argument("name", default="")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None, help="Copy all of them to a folder."
)
@reported
def launch_configs(name: str, out: Path | None) -> CommandResult:
    """List the config files for `accelerate launch`; with a NAME print its path, with --out copy all of them."""
    from medctx_train.distributed import launch_files

    if out is not None:
        copies = tuple(launch_files.copy_to(out))
        for path in copies:
            click.echo(str(path))
        return CommandResult(
            outputs=tuple(Output(kind="file", path=Path(path.name), name=path.stem) for path in copies)
        )
    if name:
        path = launch_files.path_of(name)
        click.echo(str(path))
        return CommandResult(outputs=(Output(kind="file", path=path, name=name),))
    purposes = {known: launch_files.purpose(known) for known in launch_files.names()}
    for known, purpose in purposes.items():
        click.echo(f"{known:14} {purpose}")
    return CommandResult(labels=purposes)


@main.command(cls=documents(_merge_config))
@step_options
@reported
def merge(config: str, overrides: tuple[str, ...], out: Path | None, dry_run: bool) -> CommandResult:
    """Merge an adapter into its base as a plain checkpoint."""
    from medctx_train.checkpoints.merge import MergeConfig
    from medctx_train.checkpoints.merge import merge as run

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
    """Repair a tuned model without training: arm=scale, interpolate, combine or restore-qk."""
    from medctx_train.repair import run as repairs
    from medctx_train.repair.config import ARMS

    resolved = configs.load_one_of(ARMS, "arm", config_path(config), overrides)
    result = repairs.plan(resolved) if dry_run else repairs.repair(resolved, required(out))
    click.echo(result.model_dump_json(indent=2))
    if not isinstance(result, RepairManifest):
        return CommandResult(status="dry-run", labels={"weights": result.weights}, digests=result.inputs)
    return CommandResult(
        outputs=(Output(kind=result.weights, path=Path(result.weights), digest=result.weights_digest),),
        numbers={"changed": result.changed, "seconds": result.seconds},
        digests=result.inputs,
    )


_ARM_NAMES = ("scale", "interpolate", "combine", "restore-qk")
main.add_command(
    config_command(
        {
            "sft": _sft_config,
            "merge": _merge_config,
            **{f"repair-{arm}": lambda arm=arm: _repair_config(arm) for arm in _ARM_NAMES},  # type: ignore[misc]
        }
    )
)
finish_program(main, "medctx-train")


if __name__ == "__main__":
    main()
