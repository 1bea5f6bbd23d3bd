"""The config of one exam."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from medctx.config.loading import Config
from medctx_eval.exams.condition import even_depths, expand_ranges
from medctx_eval.exams.generated.needle import NeedleConfig
from medctx_eval.exams.generated.phenotype_facts import FactsConfig
from medctx_eval.exams.generated.records import RecordsConfig


class ExamConfig(Config):
    """One exam and the Conditions its items are asked under."""

    exam: str = Field(description="Name of the exam; `medctx-eval exams list` prints them. `file` reads your own.")
    conditions: tuple[str, ...] = Field(
        ("closed",),
        description="What stands before a question: closed, gold, open:<tokens>[:<depth>], distractor[:<tokens>] or "
        "counterfactual[:<tokens>[:<depth>]]; <tokens> may be a range such as 512-131072 (every doubling).",
    )
    depths: tuple[float, ...] = Field(
        (0.1, 0.5, 0.9),
        description="Depths in [0, 1] assigned in turn under conditions that name none, or their number (evenly "
        "spaced).",
    )
    limits: dict[str, int] = Field(default_factory=dict, description="Most items of a condition, by its name.")
    items: Path | None = Field(None, description="File of questions in the row schema (exam: file).")
    passages: Path | None = Field(None, description="File of the passages that the questions name by book_id.")
    path: Path | None = Field(None, description="File or folder to read instead of downloading the published exam.")
    revision: str = Field("", description="Revision of the published files to download; empty: the pinned one.")
    limit: int | None = Field(None, ge=1, description="Most items of the exam.")
    half: Literal["all", "selection", "confirmation"] = Field(
        "all", description="Only the clusters that select cells, or only those that measure the selected again."
    )
    offer_cannot: bool = Field(
        False,
        description="Add the option that the question cannot be answered to every item without one; under distractor "
        "it is always added.",
    )
    needle: NeedleConfig = Field(NeedleConfig(), description="Sizes of the generated exam `needle`.")
    records: RecordsConfig = Field(RecordsConfig(), description="Sizes of the generated exam `records-reading`.")
    facts: FactsConfig = Field(FactsConfig(), description="Form of the generated exam `phenotypes-facts`.")

    @field_validator("conditions")
    @classmethod
    def _expand_ranges(cls, conditions: tuple[str, ...]) -> tuple[str, ...]:
        return expand_ranges(conditions)

    @field_validator("depths", mode="before")
    @classmethod
    def _spread_evenly(cls, depths: object) -> object:
        return even_depths(depths) if isinstance(depths, int) and depths > 0 else depths
