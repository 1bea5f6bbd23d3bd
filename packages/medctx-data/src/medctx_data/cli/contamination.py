"""The verb ``contamination`` of the console command ``medctx-data``."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import Field
from rich.table import Table

from medctx.config import loading as configs
from medctx.config.cli import config_path, documents, step_options
from medctx.config.command_result import output_console, reported
from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.schemas.contamination import OVERLAPS, SUMMARY, TAUGHT, ContaminationReport
from medctx.schemas.result import CommandResult, Output
from medctx.tracking import mlflow_run as tracking

KINDS = ("exact", "13-gram", "minhash")


class ContaminationConfig(Config):
    """Comparison of a mix with exams."""

    mix: Path | None = Field(default=None, description="Folder of the mix.")
    exams: tuple[str, ...] = Field(
        default=(),
        description="Files of items and of Passages, or folders exam-plan-..., as PATH or NAME=PATH; files of one NAME "
        "are one exam.",
    )
    similarity: float = Field(
        default=0.8, ge=0.5, le=1, description="Jaccard similarity of shingles from which texts count as similar."
    )
    processes: int = Field(default=0, ge=0, le=1024, description="Number of processes; 0: one per core.")


def contamination_table(report: ContaminationReport) -> Table:
    """Table with one row per exam: overlapping items, by kind in their question and in the Passages of their evidence.

    Items whose fact is taught on purpose have a column of their own and do not count as overlapping.
    """
    shown = Table(
        title=f"{report.overlapping:,} of {report.rows:,} Dialogues overlap with an exam ({report.overlaps:,} overlaps)"
    )
    for name in ("exam", "items", "overlapping", "share", *(f"{kind} q / book" for kind in KINDS), TAUGHT):
        shown.add_column(name, justify="left" if name == "exam" else "right")
    for exam in report.exams:
        counts = [[exam.by_kind.get(f"{kind} {where}", 0) for where in ("question", "book")] for kind in KINDS]
        shown.add_row(
            exam.exam,
            f"{exam.items:,}",
            f"{exam.overlapping:,}",
            f"{100 * exam.overlapping / exam.items:.2f} %" if exam.items else "",
            *(f"{question:,} / {book:,}" for question, book in counts),
            f"{exam.by_kind.get(TAUGHT, 0):,}",
        )
    return shown


@click.command("contamination", cls=documents(lambda: ContaminationConfig))
@click.argument("mix", metavar="MIX", required=False, type=click.Path(path_type=Path))
@click.option(
    "--exam", "exams", multiple=True, metavar="[NAME=]PATH", help="A file of items or of Passages, or exam-plan-..."
)
@step_options
@reported
def command(
    mix: Path | None,
    exams: tuple[str, ...],
    config: str,
    overrides: tuple[str, ...],
    out: Path | None,
    dry_run: bool,
) -> CommandResult:
    """Write which Dialogue of MIX overlaps with which exam item; to --out, or into MIX without it."""
    from medctx_data.contamination.exam_files import read_exams
    from medctx_data.contamination.report import write_contamination_report
    from medctx_data.mix_folder.write import manifest_of

    settings = configs.load(ContaminationConfig, config_path(config), overrides)
    folder = mix or settings.mix
    if folder is None:
        raise MedctxError("There is no mix to compare with exams; give its folder as MIX.")
    names = (*settings.exams, *exams)
    if not names:
        raise MedctxError("There is no exam to compare the mix with; give its files with --exam.")
    settings = settings.model_copy(update={"mix": folder, "exams": names})
    manifest = manifest_of(folder)
    texts = read_exams(names)
    if dry_run:
        for exam in texts:
            click.echo(f"{exam.exam}: {len(exam.questions):,} items, {len(exam.passages):,} Passages")
        click.echo(f"against {manifest.dialogues:,} Dialogues of {folder}")
        return CommandResult(status="dry-run", numbers={"items": sum(len(exam.questions) for exam in texts)})
    target = out or folder
    report = write_contamination_report(folder, manifest, texts, settings.similarity, target, settings.processes)
    configs.save(settings, target / "contamination.yaml")
    with tracking.run("contamination", f"contamination {folder.name}", after_work=True) as run:
        run.metrics({"rows": report.rows, "overlapping_dialogues": report.overlapping, "overlaps": report.overlaps})
        for checked in report.exams:
            run.metrics(
                {f"overlapping_items.{checked.exam}": checked.overlapping, f"items.{checked.exam}": checked.items}
            )
        for name in (SUMMARY, OVERLAPS):
            run.artifact(target / name, "contamination")
    output_console().print(contamination_table(report))
    click.echo(f"{target / OVERLAPS}")
    outputs = [
        Output(kind="contamination", path=Path(name) if out else target / name, name=name)
        for name in (SUMMARY, OVERLAPS)
    ]
    return CommandResult(
        outputs=tuple(outputs),
        numbers={"rows": report.rows, "overlapping": report.overlapping}
        | {f"overlapping.{exam.exam}": exam.overlapping for exam in report.exams},
        digests={"mix": manifest.digest} | {exam.exam: exam.digest for exam in report.exams},
    )
