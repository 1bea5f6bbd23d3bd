"""What a study is told: one YAML file in ``studies/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, JsonValue, field_validator

from medctx.config import Config
from medctx.curriculum import CurriculumConfig

__all__ = ["StudyConfig"]

Section = dict[str, JsonValue]
"""Keys handed on to a console command, which checks them; the study itself does not read them."""


class StudyConfig(Config):
    """A grid of cells on one base model, and the exam they all sit.

    ``ratios``: general : medical, one cell each per seed; the untouched base is always a cell. ``tokens``: trained
    tokens of every cell. ``curriculum``: which embedded facts are taught and which are only read, the same for
    Dialogues and exam. ``mix``, ``train``, ``exam`` and ``report`` are handed to ``medctx-data mix``,
    ``medctx-train sft``, ``medctx-eval run`` and ``medctx-eval report``. ``registered_model``: the name adapters are
    registered under, nothing to register none. ``work``: the folder of finished steps, shared by all studies.
    """

    name: str = Field(min_length=1)
    title: str = ""
    base: str = "smollm2-135m-instruct"
    ratios: tuple[str, ...] = ("1:0", "1:1", "0:1")
    seeds: tuple[int, ...] = (0,)
    tokens: int = Field(40_000, ge=1)
    curriculum: CurriculumConfig = CurriculumConfig()
    adapters: str = Field("auto", pattern="^(auto|hot|merged)$")
    data: Path | None = None
    mix: Section = Field(default_factory=dict)
    train: Section = Field(default_factory=dict)
    exam: Section = Field(default_factory=dict)
    report: Section = Field(default_factory=dict)
    registered_model: str = ""
    work: Path = Path("work")

    @field_validator("ratios", "seeds")
    @classmethod
    def _some(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not values:
            raise ValueError("needs at least one value")
        if len(set(values)) < len(values):
            raise ValueError(f"names a value twice: {values}")
        return values
