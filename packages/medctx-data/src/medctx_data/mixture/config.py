"""Config of a mix: its sources, their ratio and the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.mix import By, Fixed, Format, Order
from medctx.schemas.ratio import parse_ratio
from medctx.schemas.records import Domain
from medctx.text.chat_templates import DESCRIPTION
from medctx_data.cleaning.config import CleanConfig
from medctx_data.long_context.config import WrapConfig
from medctx_data.sources.config import SourceConfig, with_labels

DOMAINS: tuple[Domain, Domain] = ("general", "medical")


Weight = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class MixConfig(Config):
    """A controlled mixture of general and medical sources."""

    seed: int = Field(default=0, description="Seed of the order of the rows and of generated sources.")
    tokenizer: Path | None = Field(
        default=None,
        description="Folder of the model to be trained: its tokenizer and chat template count every token.",
    )
    chat_template: str = Field("", description=DESCRIPTION)
    ratio: str = Field(default="1:1", description="general:medical, in the unit that by names.")
    by: By = Field(
        default="tokens",
        description="Unit of ratio and budget: all tokens, the tokens that carry loss (the answers), or Dialogues.",
    )
    fixed: Fixed = Field(
        default="total",
        description="What the budget limits: the whole mix, or the general or the medical part; the other part then "
        "follows from the ratio.",
    )
    tokens: int = Field(default=40_000, ge=1, description="Budget where by is tokens.")
    loss_tokens: int = Field(default=20_000, ge=1, description="Budget where by is loss-tokens.")
    examples: int = Field(default=400, ge=1, description="Budget where by is examples.")
    max_tokens: int = Field(
        default=2_048, ge=1, description="Longest Dialogue in tokens; longer ones are left out, never cut."
    )
    sources: tuple[SourceConfig, ...] = Field(
        default=(SourceConfig(source="everyday"), SourceConfig(source="phenotypes")),
        description="The sources (medctx-data sources lists those known by name). A plain name stands for "
        "{source: name}, a plain path for {path: path}.",
    )
    languages: dict[str, Weight] = Field(
        default_factory=dict,
        description="Weight of each language; every domain is divided among its languages before its sources.",
    )
    subdomains: dict[Literal["traditional", "western"], Weight] = Field(
        default_factory=dict,
        description="Weight of traditional and western medicine, by which the medical part is divided after languages.",
    )
    curriculum: CurriculumConfig = Field(
        default=CurriculumConfig.model_validate({}),
        description="Which embedded facts the source phenotypes teaches; must equal that of the exam.",
    )
    clean: CleanConfig = Field(default=CleanConfig(), description="Which rows are left out.")
    wrap: WrapConfig = Field(default=WrapConfig(), description="Which Dialogues get a Book before their question.")
    repeat: bool = Field(
        default=True, description="Whether a source smaller than its share is used several times (epochs)."
    )
    order: Order = Field(
        default="mixed",
        description="mixed spreads the sources evenly; general-first and medical-first put one domain wholly before "
        "the other.",
    )
    format: Format = Field(default="jsonl", description="File format of the Dialogues.")
    processes: int = Field(
        default=0, ge=0, le=1024, description="Processes that work on large sources; 0: one per core."
    )

    @field_validator("ratio")
    @classmethod
    def _is_a_ratio(cls, value: str) -> str:
        parse_ratio(value)
        return value.strip()

    @field_validator("sources")
    @classmethod
    def _labelled(cls, value: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        return with_labels(value)

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        labels = [source.label for source in self.sources]
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            raise ValueError(f"two sources are called {repeated[0]!r}; give one of them another key name")
        return self

    @property
    def budget(self) -> int:
        """The whole budget in the unit that ``by`` names."""
        return {"tokens": self.tokens, "loss-tokens": self.loss_tokens, "examples": self.examples}[self.by]
