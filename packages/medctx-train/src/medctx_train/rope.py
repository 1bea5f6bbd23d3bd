"""Longer contexts than a model was trained on, by scaling its rotary positions."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from medctx.config import Config


class RopeSettings(Config):
    """Scaling of rotary position embeddings as transformers does it: ``linear`` (arXiv 2306.15595), ``dynamic`` NTK or
    ``yarn`` (arXiv 2309.00071), by ``factor`` times the positions the model knows.
    """

    scaling: Literal["none", "linear", "dynamic", "yarn"] = "none"
    factor: float = Field(1.0, ge=1)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.scaling == "none") != (self.factor == 1):
            raise ValueError("rope needs both a scaling and a factor above 1, or neither")
        return self
