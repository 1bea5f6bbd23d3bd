"""From run folders to the files of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from medctx.config import loading as configs
from medctx.io.jsonl import write_record, write_text
from medctx.plotting import save
from medctx.schemas.records import ExamItem
from medctx_eval.report.compute import compute, sheets_of
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.decision.gate import checks, decide
from medctx_eval.report.load.collect import Collected, collect
from medctx_eval.report.load.exam_contents import book_facts, items_of
from medctx_eval.report.load.published import published
from medctx_eval.report.model import Report
from medctx_eval.report.render import browser, figures, html, markdown

HTML, MARKDOWN, JSON, FIGURES = "report.html", "report.md", "report.json", "figures"
RUN_CONFIG = "config.yaml"


def _configs(collected: Collected, config: ReportConfig) -> dict[str, str]:
    """The report's config and the exams', each once, by what it belongs to."""
    found = {"report": configs.dump(config)}
    for run in collected.runs:
        file = run.folder.parent / RUN_CONFIG if run.folder else None
        if file is not None and file.is_file():
            found.setdefault(f"exam of {file.parent.name}", file.read_text(encoding="utf-8"))
    return found


def publish(
    collected: Collected, computed: Report, items: Mapping[str, ExamItem], out: Path, config: ReportConfig
) -> Report:
    """Decide, and write the files of a computed report; the JSON last: where it exists, the report is whole."""
    decision = decide(computed, config.margin)
    report = computed.model_copy(
        update={
            "headline": decision.reason,
            "checks": checks(computed),
            "published": published(computed, config.published),
            "configs": _configs(collected, config),
        }
    )
    pictures = figures.draw(report)
    for name, picture in pictures.items():
        save(picture.figure, out / FIGURES, name)
    bases = {cell.name: report.base_of(cell.name) for cell in report.cells}
    shown = browser.contents(collected, sheets_of(collected, report), bases, items, config.items)
    write_text(out / MARKDOWN, markdown.page(report, pictures))
    write_text(out / HTML, html.page(report, pictures, decision.champion, shown))
    write_record(out / JSON, report)
    return report


def build(folders: Sequence[Path], out: Path, config: ReportConfig) -> Report:
    """Compare the runs in ``folders`` and write ``report.html``, ``.md``, ``.json`` and ``figures/`` into ``out``."""
    collected = collect(folders)
    items = items_of(collected)
    computed = compute(collected, config, items, book_facts(collected.runs[0]))
    return publish(collected, computed, items, out, config)
