"""What a person asks of wrapping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.schemas.records import Domain
from medctx_data.long_context.passages import Style

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class WrapConfig(Config):
    """Which Dialogues are wrapped and how. Shares are from 0 to 1 and kept to within one Dialogue at every point.

    ``share`` of the Dialogues of each source of ``domains`` get a Book of at most ``tokens`` (as an exam's
    ``open:<tokens>``), filled with ``distractors``: other Dialogues' answers, the Passages of the file ``passages``, or
    both. Of the wrapped ones ``unanswerable`` are without their evidence and say so; of the others ``quote`` quote it
    first. ``depths`` (0 the beginning of the Book, 1 its end) are dealt evenly over the evidence. ``style``: answers
    stand in a Book below their question (``titled``), or alone, where they name what they speak of (``bare``).
    """

    share: Share = 0.0
    domains: tuple[Domain, ...] = Field(default=("medical",), min_length=1)
    tokens: int = Field(default=1_024, ge=16)
    unanswerable: Share = 0.0
    quote: Share = 0.0
    depths: tuple[Share, ...] = Field(default=(0.0, 0.25, 0.5, 0.75, 1.0), min_length=1)
    style: Style = "titled"
    distractors: Literal["answers", "passages", "both"] = "answers"
    passages: Path | None = None

    @model_validator(mode="after")
    def _distractors_are_there(self) -> Self:
        if (self.distractors == "answers") != (self.passages is None):
            raise ValueError(
                f"distractors is {self.distractors!r} and passages is {self.passages}; "
                "give passages (a file) with distractors passages or both, and only then"
            )
        return self
