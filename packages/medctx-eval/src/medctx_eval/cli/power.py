"""The command ``medctx-eval power``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medctx.config.command_result import reported
from medctx.errors import MedctxError
from medctx.schemas.result import CommandResult

if TYPE_CHECKING:
    from rich.table import Table

    from medctx_eval.power.exam_size import ExamSize, MeasuredPart
    from medctx_eval.power.power import ExamDesign


def _design(clusters: int | None, per_cluster: float | None, size_cv: float) -> ExamDesign | None:
    """The exam in question, if its size is given."""
    from medctx_eval.power.power import ExamDesign

    if clusters is None:
        return None
    if per_cluster is None:
        raise MedctxError("--clusters states the number of Books but not their size; pass --items-per-cluster too.")
    return ExamDesign(clusters=clusters, per_cluster=per_cluster, size_cv=size_cv)


def _measured(runs: tuple[str, ...]) -> tuple[MeasuredPart, ...]:
    from medctx_eval.interchange.read_runs import resolve_runs
    from medctx_eval.power.exam_size import measured_parts

    with tempfile.TemporaryDirectory(prefix="medctx-") as scratch:
        return measured_parts(resolve_runs(runs, Path(scratch)))


def _tables(size: ExamSize) -> list[tuple[str, Table]]:
    """What exams detect, and the sizes needed: one row per exam and assumption."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    delta = f"{100 * size.delta:g} points"
    exams = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    needed = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    exams.add_column("exam")
    for name in ("clusters", "items each", "items", "differ on", "ICC", "detects", f"power for {delta}"):
        exams.add_column(name, justify="right")
    for name in ("items a cluster", "differ on", "ICC", "clusters (Books)", "items"):
        needed.add_column(name, justify="right")
    for exam in size.exams:
        detectable = "nothing" if exam.detectable is None else f"{100 * exam.detectable:.1f}"
        exams.add_row(
            exam.exam,
            f"{exam.design.clusters:,}",
            f"{exam.design.per_cluster:.3g}",
            f"{exam.design.items:,}",
            f"{exam.models.discordance:.1%}",
            f"{exam.models.icc:.2f}",
            detectable,
            f"{exam.power:.0%}",
        )
    for row in size.needed:
        discordance, icc = f"{row.models.discordance:.1%}", f"{row.models.icc:.2f}"
        needed.add_row(f"{row.per_cluster:.3g}", discordance, icc, f"{row.clusters:,}", f"{row.items:,}")
    target = f"with {size.target:.0%} power"
    return [
        (f"Smallest difference an exam detects {target}, in accuracy points", exams),
        (f"Exams that detect {delta} {target}", needed),
    ]


@click.command()
@click.option(
    "--delta",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    required=True,
    help="Difference to detect, in accuracy points.",
)
@click.option(
    "--power", "target", type=click.FloatRange(0.5, 0.999), default=0.8, show_default=True, help="Power to reach."
)
@click.option("--clusters", type=click.IntRange(min=2), help="Books, documents or patients of the exam in question.")
@click.option(
    "--items-per-cluster", "per_cluster", type=click.FloatRange(min=1), help="Items of that exam for each of them."
)
@click.option(
    "--size-cv",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Coefficient of variation of the cluster sizes.",
)
@click.option(
    "--discordance", type=click.FloatRange(0.001, 1), help="Share of items only one model answers right.  [0.2]"
)
@click.option("--icc", type=click.FloatRange(0, 1), help="Correlation within a cluster.  [0, 0.1 and 0.3]")
@click.option(
    "--runs", multiple=True, help="Run to measure discordance and correlation from; pass it once for each of two runs."
)
@reported
def power(
    delta: float,
    target: float,
    clusters: int | None,
    per_cluster: float | None,
    size_cv: float,
    discordance: float | None,
    icc: float | None,
    runs: tuple[str, ...],
) -> CommandResult:
    """Show how many items and Books a paired comparison needs, and what a given exam detects.

    LongHealth, 20 patients with 20 questions: medctx-eval power --delta 3 --clusters 20 --items-per-cluster 20
    """
    from rich.console import Console

    from medctx_eval.power import exam_size

    exam = _design(clusters, per_cluster, size_cv)
    if runs:
        if discordance is not None or icc is not None:
            raise MedctxError("--runs measures what --discordance and --icc assume; pass either --runs or those two.")
        size = exam_size.from_runs(delta / 100, target, _measured(runs), exam)
    else:
        size = exam_size.assumed(
            delta / 100,
            target,
            discordance=0.2 if discordance is None else discordance,
            correlations=exam_size.CORRELATIONS if icc is None else [icc],
            per_cluster=exam_size.ITEMS_PER_CLUSTER if per_cluster is None else [per_cluster],
            exam=exam,
        )
    console = Console(highlight=False)
    for title, table in _tables(size):
        if table.row_count:
            console.print(title, markup=False)
            console.print(table)
            console.print()
    console.print("Assumptions:")
    for assumption in size.assumptions:
        console.print(f"- {assumption}", markup=False)
    return CommandResult(numbers={"delta": size.delta, "power": size.target}, details=size.model_dump(mode="json"))
