"""The data section of a training config."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.text.chat_templates import DESCRIPTION

TooLong = Literal["refuse", "drop", "split"]
"""What happens to a Dialogue with more tokens than a row.

``refuse`` stops the run, ``drop`` leaves the Dialogue out, ``split`` cuts it between exchanges (a user turn and the
answers to it) into parts that fit. Each part starts with the system turn, if there is one, and does not see the
exchanges of earlier parts. An exchange that does not fit by itself stops the run even under ``split``.
"""


class ReplaySettings(Config):
    """General data mixed into training against forgetting (arXiv 2502.06042)."""

    mix: Path | None = Field(
        None, description="A mix folder, or a folder of plain texts (*.txt), which carry loss on every token."
    )
    share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Fraction of all trained tokens that is replayed. The seed fixes the order, so a smaller share is "
        "a subset of a larger one.",
    )

    @model_validator(mode="after")
    def _mix_and_share_go_together(self) -> Self:
        if (self.mix is None) != (self.share == 0):
            raise ValueError("replay needs both a mix folder and a share above 0, or neither")
        return self


class DataSettings(Config):
    """Which Dialogues are trained on and how they are packed."""

    mix: Path = Field(Path("mix"), description="The mix folder, as `medctx-data mix --out` writes it.")
    replay: ReplaySettings = Field(ReplaySettings(), description="General data mixed in against forgetting.")
    chat_template: str = Field("", description=DESCRIPTION)
    row_tokens: int = Field(512, ge=8, description="Length of a packed row in tokens.")
    too_long: TooLong = Field(
        "refuse", description="What happens to a Dialogue longer than a row: refuse, drop, or split between exchanges."
    )
