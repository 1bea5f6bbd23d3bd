"""Config of one source of a mix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.config.names import OptionalName
from medctx.schemas.mix import Subdomain
from medctx.schemas.records import Domain
from medctx_data.sources.card import HUB, Form


class SourceConfig(Config):
    """One source of a mix."""

    source: str = Field(
        description="Name of the source (medctx-data sources), jsonl or parquet for files of one's own, hub for any "
        "data set of the hub."
    )
    path: Path | None = Field(default=None, description="Local file or folder to read instead of the published files.")
    revision: str = Field(
        default="", description='Revision of the published files; "": the one that was fetched first.'
    )
    share: float = Field(
        default=1.0, gt=0, le=1e6, allow_inf_nan=False, description="Weight within its domain, language and sub-domain."
    )
    amount: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(
        default=None,
        description="How much of the source to take, in the unit of the mix; all: every usable row once. If any source "
        "has an amount, all need one, and the ratio follows from the amounts.",
    )
    domain: Domain | None = Field(default=None, description="Domain of a source whose card names none.")
    language: str = Field(default="", description='Use only rows that state this language; "": all rows.')
    subdomain: Subdomain = Field(default="", description="School of medicine of a source whose card names none.")
    name: OptionalName = Field(default="", description="Label in the mix, needed where a source stands twice.")
    dataset: str = Field(default="", description="Data set of the hub (owner/name); only with source: hub.")
    subset: str = Field(default="", description='Subset (configuration) of the data set; "": its only or default one.')
    split: str = Field(default="train", description="Split of the data set.")
    form: Form | None = Field(
        default=None,
        description="Form of the rows of one's own file or of a data set of the hub; null: detected from the columns.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Column of each part of the form, as source cards name them (medctx-data sources show dolly).",
    )

    answer_base: Literal[0, 1] | None = Field(
        default=None,
        description="Number of the first option where answers are numbers; null: detected from all rows.",
    )
    reasoning: Literal["keep", "drop"] = Field(
        default="keep",
        description="Whether the reasoning of an answer (reasoning_content) is put before it in <think> tags.",
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_name(cls, value: object) -> object:
        return {"source": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _names_a_data_set(self) -> Self:
        if (self.source == HUB) != bool(self.dataset):
            raise ValueError(
                f"the source {self.source!r} has dataset={self.dataset!r}; give dataset (owner/name) with the source "
                f"{HUB}, and only then"
            )
        if (self.subset or self.split != "train") and self.source != HUB:
            raise ValueError(f"subset and split belong to the source {HUB}, not to {self.source!r}; remove them")
        if self.columns and self.form is None:
            raise ValueError("columns without a form say nothing; add form (pair, alpaca, chat, alternating, choice)")
        return self

    @property
    def label(self) -> str:
        """The name this source has in the mix."""
        return self.name or self.dataset.rpartition("/")[2] or self.source
