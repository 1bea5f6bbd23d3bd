"""The verb ``medctx-eval power``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medctx.config.cli import one_sentence
from medctx.errors import MedctxError

if TYPE_CHECKING:
    from rich.table import Table

    from medctx_eval.power.exam_size import ExamSize, Measured
    from medctx_eval.power.power import Design


def _design(clusters: int | None, per_cluster: float | None, size_cv: float) -> Design | None:
    """The exam in question, where both numbers are given."""
    from medctx_eval.power.power import Design

    if clusters is None:
        return None
    if per_cluster is None:
        raise MedctxError("--clusters says how many Books there are but not how large; give --items-per-cluster too.")
    return Design(clusters=clusters, per_cluster=per_cluster, size_cv=size_cv)


def _measured(runs: tuple[str, ...]) -> tuple[Measured, ...]:
    from medctx_eval.artifacts import run_source
    from medctx_eval.power.exam_size import measured

    with tempfile.TemporaryDirectory(prefix="medctx-") as scratch:
        return measured([folder for source in runs for folder in run_source.resolve(source, Path(scratch))])


def _tables(found: ExamSize) -> list[tuple[str, Table]]:
    """What an exam sees, and what is needed: one row per exam and assumption."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    delta = f"{100 * found.delta:g} points"
    sees = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    needs = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    sees.add_column("exam")
    for name in ("clusters", "items each", "items", "differ on", "ICC", "sees from", f"power for {delta}"):
        sees.add_column(name, justify="right")
    for name in ("items a cluster", "differ on", "ICC", "clusters (Books)", "items"):
        needs.add_column(name, justify="right")
    for sight in found.sights:
        seen = "nothing" if sight.detectable is None else f"{100 * sight.detectable:.1f}"
        design, models = sight.design, sight.models
        sees.add_row(
            sight.exam,
            f"{design.clusters:,}",
            f"{design.per_cluster:.3g}",
            f"{design.items:,}",
            f"{models.discordance:.1%}",
            f"{models.icc:.2f}",
            seen,
            f"{sight.power:.0%}",
        )
    for need in found.needs:
        discordance, icc = f"{need.models.discordance:.1%}", f"{need.models.icc:.2f}"
        needs.add_row(f"{need.per_cluster:.3g}", discordance, icc, f"{need.clusters:,}", f"{need.items:,}")
    wanted = f"with {found.wanted:.0%} power"
    return [
        (f"Smallest difference an exam sees {wanted}, in accuracy points", sees),
        (f"Exams that see {delta} {wanted}", needs),
    ]


@click.command()
@click.option("--delta", type=click.FloatRange(0, 100, min_open=True, max_open=True), required=True, help="In points.")
@click.option("--power", "wanted", type=click.FloatRange(0.5, 0.999), default=0.8, show_default=True)
@click.option("--clusters", type=click.IntRange(min=2), help="Books, documents or patients of the exam in question.")
@click.option(
    "--items-per-cluster", "per_cluster", type=click.FloatRange(min=1), help="Its questions for each of them."
)
@click.option("--size-cv", type=click.FloatRange(min=0), default=0, help="Coefficient of variation of these numbers.")
@click.option("--discordance", type=click.FloatRange(0.001, 1), help="Share of items only one is right on.  [0.2]")
@click.option("--icc", type=click.FloatRange(0, 1), help="Correlation within a cluster.  [0, 0.1 and 0.3]")
@click.option("--runs", multiple=True, help="Measure the two instead of assuming them; give it for both runs.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of tables.")
@one_sentence
def power(
    delta: float,
    wanted: float,
    clusters: int | None,
    per_cluster: float | None,
    size_cv: float,
    discordance: float | None,
    icc: float | None,
    runs: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say how many items and Books a paired comparison needs, and what a given exam can see.

    LongHealth, 20 patients with 20 questions: medctx-eval power --delta 3 --clusters 20 --items-per-cluster 20
    """
    from rich.console import Console

    from medctx_eval.power import exam_size

    exam = _design(clusters, per_cluster, size_cv)
    if runs:
        if discordance is not None or icc is not None:
            raise MedctxError("--runs measures what --discordance and --icc assume; give one or the other.")
        found = exam_size.from_runs(delta / 100, wanted, _measured(runs), exam)
    else:
        found = exam_size.assumed(
            delta / 100,
            wanted,
            discordance=0.2 if discordance is None else discordance,
            correlations=exam_size.CORRELATIONS if icc is None else [icc],
            per_cluster=exam_size.PER_CLUSTER if per_cluster is None else [per_cluster],
            exam=exam,
        )
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    for title, table in _tables(found):
        if table.row_count:
            console.print(title, markup=False)
            console.print(table)
            console.print()
    console.print("Assumptions:")
    for assumption in found.assumptions:
        console.print(f"- {assumption}", markup=False)
