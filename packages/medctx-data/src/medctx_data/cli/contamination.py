"""The verb ``contamination_report`` of the console command ``medctx-data``."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import Field
from rich.table import Table

from medctx.config import loading as configs
from medctx.config.cli import config_path, step_options
from medctx.config.command_result import output_console, reported
from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.schemas.contamination import OVERLAPS, SUMMARY, TAUGHT, ContaminationReport
from medctx.schemas.result import CommandResult, Output
from medctx.tracking import mlflow_run as tracking
from medctx_data.contamination.exam_files import read_exams
from medctx_data.contamination.report import compare
from medctx_data.mix_folder import write as folder

KINDS = ("exact", "13-gram", "minhash")


class LedgerConfig(Config):
    """A mix held against exams.

    ``exams``: files of items and of Passages, as FILE or NAME=FILE; files of one NAME are one exam. ``similarity``: the
    Jaccard similarity of shingles from which texts are alike. ``processes``: 0 for one on each core.
    """

    mix: Path | None = None
    exams: tuple[str, ...] = ()
    similarity: float = Field(default=0.8, ge=0.5, le=1)
    processes: int = Field(default=0, ge=0, le=1024)


def table(contamination_report: ContaminationReport) -> Table:
    """One line for each exam: items touched, by kind, in their question and in the Passages of their evidence; and
    those whose fact is taught on purpose, which count as not touched.
    """
    shown = Table(
        title=f"{contamination_report.overlapping:,} of {contamination_report.rows:,} Dialogues touch an exam "
        f"({contamination_report.touches:,} touches)"
    )
    for name in ("exam", "items", "touched", "share", *(f"{kind} q / book" for kind in KINDS), TAUGHT):
        shown.add_column(name, justify="left" if name == "exam" else "right")
    for one in contamination_report.exams:
        both = [[one.by_kind.get(f"{kind} {where}", 0) for where in ("question", "book")] for kind in KINDS]
        shown.add_row(
            one.exam,
            f"{one.items:,}",
            f"{one.touched:,}",
            f"{100 * one.touched / one.items:.2f} %" if one.items else "",
            *(f"{question:,} / {book:,}" for question, book in both),
            f"{one.by_kind.get(TAUGHT, 0):,}",
        )
    return shown


@click.command("contamination")
@click.argument("mixed", metavar="MIX", required=False, type=click.Path(path_type=Path))
@click.option("--exam", "exams", multiple=True, metavar="[NAME=]FILE", help="A file of items or of Passages.")
@step_options
@reported
def command(
    mixed: Path | None,
    exams: tuple[str, ...],
    config: str,
    overrides: tuple[str, ...],
    out: Path | None,
    dry_run: bool,
) -> CommandResult:
    """Write down which Dialogue of MIX has what of which exam item; to --out, else into MIX."""
    settings = configs.load(LedgerConfig, config_path(config), overrides)
    found = mixed or settings.mix
    if found is None:
        raise MedctxError("There is no mix to hold against exams; give its folder as MIX.")
    names = (*settings.exams, *exams)
    if not names:
        raise MedctxError("There is no exam to hold the mix against; give its files with --exam.")
    settings = settings.model_copy(update={"mix": found, "exams": names})
    manifest = folder.manifest_of(found)
    read = read_exams(names)
    if dry_run:
        for one in read:
            click.echo(f"{one.exam}: {len(one.questions):,} items, {len(one.pages):,} Passages")
        click.echo(f"against {manifest.dialogues:,} Dialogues of {found}")
        return CommandResult(status="dry-run", numbers={"items": sum(len(one.questions) for one in read)})
    target = out or found
    contamination_report = compare(found, manifest, read, settings.similarity, target, settings.processes)
    configs.save(settings, target / "contamination.yaml")
    with tracking.run("contamination", f"contamination {found.name}") as run:
        run.metrics(
            {
                "rows": contamination_report.rows,
                "touching": contamination_report.overlapping,
                "touches": contamination_report.touches,
            }
        )
        for exam in contamination_report.exams:
            run.metrics({f"touched.{exam.exam}": exam.touched, f"items.{exam.exam}": exam.items})
        for name in (SUMMARY, OVERLAPS):
            run.artifact(target / name, "contamination")
    output_console().print(table(contamination_report))
    click.echo(f"{target / OVERLAPS}")
    made = [
        Output(kind="contamination", path=Path(name) if out else target / name, name=name)
        for name in (SUMMARY, OVERLAPS)
    ]
    return CommandResult(
        outputs=tuple(made),
        numbers={"rows": contamination_report.rows, "overlapping": contamination_report.overlapping}
        | {f"touched.{exam.exam}": exam.touched for exam in contamination_report.exams},
        digests={"mix": manifest.digest} | {exam.exam: exam.digest for exam in contamination_report.exams},
    )
