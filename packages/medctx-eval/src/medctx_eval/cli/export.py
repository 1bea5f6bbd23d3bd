"""The command ``medctx-eval export``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from medctx.config.command_result import reported
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.records import ExamItem, Passage
from medctx.schemas.result import CommandResult, Output

_USE = {
    "every-eval-ever": "Check them: cd {out} && every_eval_ever validate 'data/*/*/*/*'",
    "lm-eval": "Ask them: lm_eval --include_path {out} --tasks {name} --log_samples --output_path logs ...",
    "inspect": "Ask them: inspect eval {out}/{name}.py --model ...",
}
FORMATS = tuple(_USE)


@click.command()
@click.argument("form", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("source", metavar="RUN|EXAM")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write into.")
@click.option("--path", type=click.Path(path_type=Path), default=None, help="File or folder to read the exam from.")
@click.option("--passages", type=click.Path(path_type=Path), default=None, help="File of the exam's passages.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Most items of the exam.")
@click.option("--evidence", is_flag=True, help="Put the evidence before each question (an open-book task).")
@click.option("--developer", default="", help="Who made the model (every-eval-ever).")
@reported
def export(
    form: str,
    source: str,
    out: Path,
    path: Path | None,
    passages: Path | None,
    limit: int | None,
    evidence: bool,
    developer: str,
) -> CommandResult:
    """Write a run or an exam in the format of another harness.

    every-eval-ever takes a run folder and writes records that its `validate` command accepts. lm-eval and inspect take
    the name of an exam (medctx-eval exams list; `file` with --path) or a run folder, whose items they export.
    """
    import time

    from medctx_eval.interchange import every_eval_export, exam_export

    if form == "every-eval-ever":
        files = every_eval_export.export_run(Path(source), out, developer=developer, time=str(int(time.time())))
    else:
        name, items, by_id = _exam(source, path, passages, limit)
        write = exam_export.export_lm_eval if form == "lm-eval" else exam_export.export_inspect
        files = write(name, items, by_id if evidence else {}, out)
    for file in files:
        click.echo(str(file))
    click.echo(_USE[form].format(out=shlex.quote(str(out)), name=files[-1].stem.removesuffix("_generate")), err=True)
    return CommandResult(outputs=tuple(Output(kind="file", path=file.resolve(), name=file.name) for file in files))


def _exam(
    source: str, path: Path | None, passages: Path | None, limit: int | None
) -> tuple[str, list[ExamItem], Mapping[str, Passage]]:
    """Name, items and passages of an exam, or of the items of a run folder."""
    from medctx.facts.curriculum import CurriculumConfig
    from medctx_eval.artifacts import run_folder
    from medctx_eval.exams import registry
    from medctx_eval.exams.config import ExamConfig, with_names

    folder = Path(source)
    if (folder / EXAM_FILE).is_file():
        run = run_folder.read_run(folder)
        items = list(run_folder.read_items(folder, run.manifest).values())
        return "-".join(card.name for card in run.manifest.exams), items[:limit], {}
    (config,) = with_names([ExamConfig(exam=source, path=path, passages=passages, limit=limit)])
    exam = registry.build_exam(config, CurriculumConfig.model_validate({}), 0)
    return exam.card.name, list(exam.items), exam.by_id
