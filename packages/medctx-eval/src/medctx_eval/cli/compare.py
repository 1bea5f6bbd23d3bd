"""The command ``medctx-eval compare``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import get_args

import click

from medctx.config.command_result import reported
from medctx.schemas.records import Mode
from medctx.schemas.result import CommandResult

MODES: tuple[Mode, ...] = get_args(Mode)


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option(
    "--base", default="", help="Cell the others are compared with.  [default: the first model without an adapter]"
)
@click.option("--mode", type=click.Choice(MODES), help="Scoring mode.  [default: the one all runs were examined for]")
@click.option(
    "--margin",
    type=click.FloatRange(0.1, 99),
    default=5,
    show_default=True,
    help="Largest loss that counts as none, in accuracy points.",
)
@click.option("--pairs", is_flag=True, help="Compare all cells with one another instead of each with the base.")
@click.option("--conditions", is_flag=True, help="Compare also under each condition.")
@click.option("--draws", type=click.IntRange(min=100), default=10_000, show_default=True, help="Bootstrap resamples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--different-means", is_flag=True, help="Compare although the answers of the mode were read by different means."
)
@reported
def compare(
    runs: tuple[str, ...],
    base: str,
    mode: Mode | None,
    margin: float,
    pairs: bool,
    conditions: bool,
    draws: int,
    seed: int,
    different_means: bool,
) -> CommandResult:
    """Compare examined models: gains, losses, equality, and the difference this exam detects.

    RUNS are run folders, MLflow runs (runs:/ID, runs:/ID/FOLDER), registered models (models:/NAME/VERSION,
    models:/NAME@ALIAS), or logs of lm-evaluation-harness (samples), inspect, Every Eval Ever and olmo-eval, which are
    joined by item. Runs that differ only in their training seed are one cell; a model examined twice measures
    noise.
    """
    from rich.console import Console

    from medctx_eval.interchange.read_runs import resolve_runs
    from medctx_eval.report.compare import compare as compare_runs
    from medctx_eval.report.config import ReportConfig
    from medctx_eval.report.render.compare_table import (
        accuracy_table,
        comparison_notes,
        difference_table,
        failure_warning,
    )

    config = ReportConfig(
        base=base, mode=mode, margin=margin / 100, draws=draws, seed=seed, different_means=different_means
    )
    with tempfile.TemporaryDirectory(prefix="medctx-") as scratch:
        folders = resolve_runs(runs, Path(scratch))
        comparison = compare_runs(folders, config, every_pair=pairs, conditions=conditions)
    console = Console(highlight=False)
    if warning := failure_warning(comparison):
        console.print(warning, markup=False)
    exams = ", ".join(comparison.exams)
    console.print(f"{exams}: accuracy in % with 95 % intervals, mode {comparison.mode}", markup=False)
    console.print(accuracy_table(comparison))
    if comparison.differences:
        console.print("\nPaired differences in accuracy points with 95 % intervals")
        console.print(difference_table(comparison))
    console.print()
    for note in comparison_notes(comparison):
        console.print(note, markup=False)
    return CommandResult(
        numbers={f"{accuracy.cell}: {accuracy.part}": accuracy.accuracy.value for accuracy in comparison.accuracies},
        labels={"base": comparison.base, "mode": comparison.mode, "exams": ", ".join(comparison.exams)},
        details=comparison.model_dump(mode="json"),
    )
