"""The demo exam: the built-in models behind a local server, and the config of their exam."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import Field

from medctx.config.loading import Config
from medctx_eval.demo.rule_models import reader
from medctx_eval.demo.server import serve_in_process
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.run.config import ModelConfig, RunConfig

BASE = "oracle"
CONDITIONS = ("closed", "gold", "open:1536", "open:4096", "distractor", "counterfactual")


class DemoConfig(Config):
    """The exam of the built-in models."""

    items: int = Field(40, description="Questions of the exam needle.")
    conditions: tuple[str, ...] = Field(CONDITIONS, description="Conditions to ask them under; lengths in bytes.")
    orders: int = Field(2, description="In how many orders of its options each question is asked.")
    draws: int = Field(10_000, description="Bootstrap draws of the report.")
    seed: int = Field(0, description="Seed of the generated exam.")


@contextmanager
def serve_models(config: DemoConfig) -> Iterator[RunConfig]:
    """Serve the built-in models; yields the config of their exam."""
    exam_config = ExamConfig(exam="needle", conditions=config.conditions, limit=config.items)
    exam = registry.build(exam_config, RunConfig().curriculum, config.seed)
    models = reader(exam)
    with serve_in_process(models) as url:
        yield RunConfig(
            models=tuple(ModelConfig(name=name) for name in models.rule_models),
            exams=(exam_config,),
            engine="endpoint",
            urls=(url,),
            tokenizer="bytes",
            mode="generate",
            modes=("letter", "text", "choice"),
            orders=config.orders,
            seed=config.seed,
        )
