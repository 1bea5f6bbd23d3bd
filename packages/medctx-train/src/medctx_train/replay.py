"""Replay: a share of other data among the rows, against forgetting (arXiv 2502.06042: one percent already helps)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from medctx.config import Config


class ReplaySettings(Config):
    """``share`` of all trained tokens comes from ``mix``: a mix folder, or a folder of plain texts (``*.txt``).

    Which come first is drawn by the run's seed, so a smaller share is a subset of a larger one. Plain texts carry
    loss on every token.
    """

    mix: Path | None = None
    share: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.mix is None) != (self.share == 0):
            raise ValueError("replay needs both a mix folder and a share above 0, or neither")
        return self
