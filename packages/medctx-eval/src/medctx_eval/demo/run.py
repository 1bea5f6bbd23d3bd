"""``medctx-eval demo``: the built-in models through a whole exam, from the server to the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.config.loading import Config
from medctx_eval.demo.rule_models import reader
from medctx_eval.demo.server import serve_apart
from medctx_eval.exams import registry
from medctx_eval.run import examine as examination
from medctx_eval.run.config import ExamConfig, ModelConfig, RunConfig

if TYPE_CHECKING:
    from medctx_eval.report.model import Report

BASE = "oracle"
CONDITIONS = ("closed", "gold", "open:1536", "open:4096", "distractor", "counterfactual")


class DemoConfig(Config):
    """``items`` questions of the exam ``needle`` under ``conditions``, lengths in bytes."""

    items: int = 40
    conditions: tuple[str, ...] = CONDITIONS
    orders: int = 2
    draws: int = 10_000
    seed: int = 0


def run_config(config: DemoConfig, url: str, models: tuple[str, ...]) -> RunConfig:
    """The exam of every built-in model."""
    return RunConfig(
        models=tuple(ModelConfig(name=name) for name in models),
        exams=(ExamConfig(exam="needle", conditions=config.conditions, limit=config.items),),
        engine="endpoint",
        urls=(url,),
        tokenizer="bytes",
        mode="generate",
        modes=("letter", "text", "choice"),
        orders=config.orders,
        seed=config.seed,
    )


def demo(config: DemoConfig, out: Path) -> Report:
    """Examine the built-in models into ``out/runs`` and report into ``out/report``."""
    from medctx_eval.report.build import write_report
    from medctx_eval.report.config import ReportConfig

    asked = ExamConfig(exam="needle", limit=config.items)
    exam = registry.build(asked, RunConfig().curriculum, config.seed)
    found = reader(exam)
    with serve_apart(found) as url:
        folders = examination.run(run_config(config, url, tuple(found.rule_models)), out / "runs")
    settings = ReportConfig(title="Built-in models", base=BASE, draws=config.draws)
    return write_report(folders, out / "report", settings)
