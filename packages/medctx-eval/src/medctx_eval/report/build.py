"""From run folders to the files of a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import write_record, write_text
from medctx.plotting import save_figure
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.records import ExamItem
from medctx.schemas.report import MARKDOWN_FILE, REPORT_FILE
from medctx_eval.artifacts.checksums import write_checksums
from medctx_eval.report.compute import compute, decided, views_of
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import RunSet, collect
from medctx_eval.report.load.exam_contents import read_contents
from medctx_eval.report.model import Report
from medctx_eval.report.render import figures, html, markdown
from medctx_eval.report.render.browser.contents import contents

HTML, FIGURES = "report.html", "figures"
RUN_CONFIG = "config.yaml"


def _configs(run_set: RunSet, config: ReportConfig) -> dict[str, str]:
    """The config of the report and of each exam, by name."""
    texts = {"report": configs.dump(config)}
    for run in run_set.runs:
        file = run.folder.parent / RUN_CONFIG if run.folder else None
        if file is not None and file.is_file():
            texts.setdefault(f"exam of {file.parent.name}", file.read_text(encoding="utf-8"))
    return texts


def publish(
    run_set: RunSet, computed: Report, items: Mapping[str, ExamItem], out: Path, config: ReportConfig
) -> tuple[Report, Decision]:
    """Decide, and write the files of a computed report.

    ``report.json`` is written last but for the checksums: where it exists, the report is complete.
    """
    folders = [os.path.relpath(run.folder, out) for run in run_set.runs if run.folder]
    report, decision = decided(computed, config, _configs(run_set, config), folders)
    pictures = figures.draw_figures(report)
    for name, picture in pictures.items():
        save_figure(picture.figure, out / FIGURES, name)
    bases = {cell.name: report.base_of(cell.name) for cell in report.cells}
    shown = contents(run_set, views_of(run_set, report), bases, items, config.browser_items)
    write_text(out / MARKDOWN_FILE, markdown.markdown_page(report, pictures))
    write_text(out / HTML, html.html_page(report, pictures, decision, shown))
    write_record(out / DECISION_FILE, decision)
    write_record(out / REPORT_FILE, report)
    drawn = [out / FIGURES / f"{name}.{kind}" for name in pictures for kind in ("png", "svg")]
    files = [out / name for name in (HTML, MARKDOWN_FILE, DECISION_FILE, REPORT_FILE)]
    write_checksums(out, [file for file in (*files, *drawn) if file.is_file()])
    return report, decision


def _require_own_folder(out: Path, folders: Sequence[Path]) -> None:
    """Refuse a folder that belongs to runs: a report has files of the same names."""
    taken = {place for folder in folders for place in (folder.resolve(), folder.resolve().parent)}
    if out.resolve() in taken or (out / EXAM_FILE).is_file():
        raise MedctxError(
            f"{out} holds examined models, whose checksums, config and result a report there would replace; choose "
            "another folder with --out."
        )


def write_report(folders: Sequence[Path], out: Path, config: ReportConfig | None = None) -> Report:
    """Compare the runs in ``folders`` and write a report.

    Writes ``report.html``, ``report.md``, ``figures/``, ``decision.json``, ``report.json`` and their checksums into
    ``out``.

    Args:
        folders: Run folders of ``medctx-eval run``, one per examined model.
        out: Folder of the report.
        config: Settings of the report.

    Returns:
        The report.

    Raises:
        MedctxError: If a folder is not a finished run, the runs were not asked the same questions, or ``out`` holds
            runs.
    """
    _require_own_folder(out, folders)
    config = config or ReportConfig()
    run_set = collect(folders)
    contents = read_contents(run_set)
    computed = compute(run_set, config, contents)
    return publish(run_set, computed, contents.items, out, config)[0]
