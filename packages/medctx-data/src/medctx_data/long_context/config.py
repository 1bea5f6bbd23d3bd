"""Config of wrapping: which Dialogues get a Book before their question."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.schemas.records import Domain

Style = Literal["titled", "bare"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class WrapConfig(Config):
    """Which Dialogues are wrapped and how. Shares hold to within one Dialogue at every point of the stream."""

    share: Share = Field(
        default=0.0, description="Fraction of the Dialogues of each source that get a Book before their question."
    )
    domains: tuple[Domain, ...] = Field(
        default=("medical",), min_length=1, description="Domains whose Dialogues are wrapped."
    )
    tokens: int = Field(
        default=1_024, ge=16, description="Longest Book in tokens, as open:<tokens> in an exam's conditions."
    )
    unanswerable: Share = Field(
        default=0.0,
        description="Fraction of the wrapped Dialogues whose Book lacks the evidence and whose answer says so.",
    )
    quote: Share = Field(
        default=0.0, description="Fraction of the other wrapped Dialogues whose answer quotes its evidence first."
    )
    depths: tuple[Share, ...] = Field(
        default=(0.0, 0.25, 0.5, 0.75, 1.0),
        min_length=1,
        description="Positions of the evidence in the Book (0: beginning, 1: end), used equally often.",
    )
    style: Style = Field(
        default="titled",
        description="titled: an answer is placed in a Book below its question; bare: alone, for answers that name "
        "their subject.",
    )
    distractors: Literal["answers", "passages", "both"] = Field(
        default="answers",
        description="What fills the Book: answers of other Dialogues, the Passages of the file passages (the "
        "default where there is one), or both.",
    )
    passages: Path | None = Field(
        default=None, description="File of passages: rows of book_id or id, text and title, as an exam's."
    )

    @model_validator(mode="before")
    @classmethod
    def _stated_passages_are_used(cls, data: object) -> object:
        """A file of passages without a word on distractors gives the distractors."""
        if isinstance(data, dict) and data.get("passages") and "distractors" not in data:
            return {**data, "distractors": "passages"}
        return data

    @model_validator(mode="after")
    def _distractors_are_there(self) -> Self:
        if (self.distractors == "answers") != (self.passages is None):
            raise ValueError(
                f"distractors is {self.distractors!r} and passages is {self.passages}; "
                "give passages (a file) with distractors passages or both, and only then"
            )
        return self
