"""Config of cleaning: which rows of the sources are left out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.config.loading import Config


class CleanConfig(Config):
    """Which rows are left out besides empty rows and rows that equal an earlier one."""

    malformed: Literal["refuse", "drop"] = Field(
        default="refuse",
        description="What to do with a row that cannot be read as a Dialogue: stop, or leave it out and count it.",
    )
    language: bool = Field(
        default=False,
        description="Leave out rows that are not written in the script of the language they state.",
    )
    duplicates: Literal["source", "mix"] = Field(
        default="source",
        description="Where equal rows are looked for: within each source, or across all sources of the mix in their "
        "order (sources without a share included).",
    )
    near_duplicates: float | None = Field(
        default=None,
        ge=0.5,
        le=1,
        description="Jaccard similarity of shingles from which a row counts as a repetition of an earlier one, looked "
        "for in the scope of duplicates; null: near duplicates are kept.",
    )
    same_question: bool = Field(
        default=True,
        description="Leave out a near duplicate only if its questions are as similar as its whole text: answers of "
        "one template about two diseases are two facts.",
    )
