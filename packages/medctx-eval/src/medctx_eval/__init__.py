"""Closed- and open-book exams for language models, compared item by item.

Example:
    Examine two models behind an OpenAI-compatible server, compare them and write a report:

        from pathlib import Path

        from medctx_eval import ExamConfig, ModelConfig, RunConfig, compare, examine, write_report

        config = RunConfig(
            urls=("http://127.0.0.1:8000",),
            models=(ModelConfig(name="oracle"), ModelConfig(name="always-a")),
            exams=(ExamConfig(exam="needle", conditions=("closed", "gold"), limit=8),),
            tokenizer="bytes",
            mode="generate",
            modes=(),
        )
        folders = examine(config, Path("runs"))
        for row in compare(folders).differences:
            print(row.cell, row.part, f"{100 * row.difference.value:+.0f} points")
        write_report(folders, Path("report"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medctx_eval.artifacts.local_model import locate as locate
    from medctx_eval.exams.config import ExamConfig
    from medctx_eval.report.build import write_report
    from medctx_eval.report.compare import compare
    from medctx_eval.report.config import ReportConfig
    from medctx_eval.run.config import ModelConfig, RunConfig
    from medctx_eval.run.examine import examine as examine

__all__ = ["ExamConfig", "ModelConfig", "ReportConfig", "RunConfig", "compare", "examine", "locate", "write_report"]

_SOURCES = {
    "ExamConfig": ("medctx_eval.exams.config", "ExamConfig"),
    "ModelConfig": ("medctx_eval.run.config", "ModelConfig"),
    "ReportConfig": ("medctx_eval.report.config", "ReportConfig"),
    "RunConfig": ("medctx_eval.run.config", "RunConfig"),
    "compare": ("medctx_eval.report.compare", "compare"),
    "examine": ("medctx_eval.run.examine", "examine"),
    "locate": ("medctx_eval.artifacts.local_model", "locate"),
    "write_report": ("medctx_eval.report.build", "write_report"),
}


def __getattr__(name: str) -> object:
    # Imported on first use, so that `--help` and the import of a submodule stay fast.
    if name not in _SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _SOURCES[name]
    return getattr(import_module(module), attribute)
