"""From run folders to the files of a report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from medctx.jsonl import write_record, write_text
from medctx_eval.gate import decide
from medctx_eval.report import figures, html, markdown, style
from medctx_eval.report.collect import collect
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.model import Report

HTML, MARKDOWN, JSON, FIGURES = "report.html", "report.md", "report.json", "figures"


def _write_bytes(path: Path, content: bytes) -> None:
    """Whole or not at all, like :func:`medctx.jsonl.write_text`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def build(folders: Sequence[Path], out: Path, config: ReportConfig) -> Report:
    """Compare the runs in ``folders`` and write ``report.html``, ``.md``, ``.json`` and ``figures/`` into ``out``.

    The JSON is written last: where it exists, the report is whole.
    """
    report = compute(collect(folders), config)
    report = report.model_copy(update={"headline": decide(report, config.margin).reason})
    drawn = figures.draw(report)
    for name, figure in drawn.items():
        _write_bytes(out / FIGURES / f"{name}.png", style.png(figure))
        write_text(out / FIGURES / f"{name}.svg", style.svg(figure))
    write_text(out / MARKDOWN, markdown.page(report, list(drawn)))
    write_text(out / HTML, html.page(report, drawn))
    write_record(out / JSON, report)
    return report
