"""What an exam is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from medctx.config import Config
from medctx.curriculum import CurriculumConfig
from medctx.records import Mode
from medctx_eval.engines.vllm import VllmConfig


class ExamConfig(Config):
    """One exam: its name, the Conditions its items are asked under, and where its files lie.

    ``depths`` are dealt over ``open`` Conditions that name none; ``limits`` caps the items of a Condition by its
    name; ``items`` and ``passages`` are the files of exams that are read from disk.
    """

    exam: str
    conditions: tuple[str, ...] = ("closed",)
    depths: tuple[float, ...] = (0.1, 0.5, 0.9)
    limits: dict[str, int] = Field(default_factory=dict)
    items: Path | None = None
    passages: Path | None = None
    limit: int | None = Field(None, ge=1)


class ModelConfig(Config):
    """One model to examine: a folder (base or merged), and an adapter on it, or a model served elsewhere.

    ``weights_digest`` and ``adapter_digest`` key the journal; they are computed where not given.
    """

    name: str
    folder: Path | None = None
    adapter: Path | None = None
    weights_digest: str = ""
    adapter_digest: str = ""


class RunConfig(Config):
    """An exam of one or several models. ``mode`` is the scoring mode of the headline numbers."""

    models: tuple[ModelConfig, ...] = ()
    exams: tuple[ExamConfig, ...] = ()
    engine: Literal["auto", "vllm", "transformers", "endpoint"] = "auto"
    mode: Mode = "text"
    url: str = ""
    api_key_variable: str = "OPENAI_API_KEY"
    tokenizer: Path | None = None
    concurrency: int = Field(8, ge=1)
    seed: int = 0
    curriculum: CurriculumConfig = CurriculumConfig()
    vllm: VllmConfig = VllmConfig()
