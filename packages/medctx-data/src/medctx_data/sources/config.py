"""What a person asks of one source of a mix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.schemas.mix import Subdomain
from medctx.schemas.records import Domain
from medctx_data.sources.card import HUB, Form


class SourceConfig(Config):
    """One source of a mix. A plain name stands for ``{source: name}``.

    ``path``: the local file or folder of a source that is read. ``revision``: of its published files, "" for the one
    first fetched. ``share``: weight within its domain (language, sub-domain), above 0. ``amount``: how much of it in
    the unit of the mix, or ``all`` of it once; where sources have amounts, they decide instead of ratio and shares.
    ``domain``: only for sources that have none of their own. ``language``: only rows that state it. ``subdomain``: the
    school of medicine of a source that names none. ``name``: what to call it where one source stands twice.

    Of the source ``hub``, any data set of the hub: ``dataset`` ("owner/name"), its ``subset`` ("" for its only or
    default one) and ``split``. Of it and of one's own files: ``form`` and ``columns`` say how rows are read, as cards
    do (``medctx-data sources show dolly``); without them the columns decide.
    """

    source: str
    path: Path | None = None
    revision: str = ""
    share: float = Field(default=1.0, gt=0, le=1e6, allow_inf_nan=False)
    amount: Annotated[int, Field(ge=1)] | Literal["all"] | None = None
    domain: Domain | None = None
    language: str = ""
    subdomain: Subdomain = ""
    name: str = ""
    dataset: str = ""
    subset: str = ""
    split: str = "train"
    form: Form | None = None
    columns: dict[str, str] = Field(default_factory=dict)

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
