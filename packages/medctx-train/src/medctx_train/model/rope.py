"""Longer contexts than a model was trained on, by scaling its rotary positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.model.rope import RopeOverrides

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


class RopeSettings(Config):
    """Rotary positions for ``factor`` times the length the model knows.

    ``linear`` interpolates (arXiv 2306.15595), ``ntk`` takes a larger base (base * factor^(d / (d - 2)) for heads of
    size d), ``yarn`` treats high and low frequencies apart (arXiv 2309.00071). There is no ``dynamic``: transformers
    would let the longest sample of a packed row set the positions of all and keep them for later rows, and vLLM
    computes something else under that name.
    """

    scaling: Literal["none", "linear", "ntk", "yarn"] = "none"
    factor: float = Field(1.0, ge=1)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.scaling == "none") != (self.factor == 1):
            raise ValueError("rope needs both a scaling and a factor above 1, or neither")
        return self


def overrides(settings: RopeSettings, config: PreTrainedConfig) -> RopeOverrides | None:
    """What ``settings`` change in a model's config; None where nothing. Raises MedctxError where that cannot be
    done.
    """
    if settings.scaling == "none":
        return None
    current = getattr(config, "rope_parameters", None)
    if not isinstance(current, dict) or "rope_theta" not in current:
        raise MedctxError(
            f"rope.scaling is {settings.scaling!r}, but the model ({config.model_type}) has no single set of rotary "
            "positions to scale; set rope.scaling=none."
        )
    kind = current.get("rope_type", "default")
    if kind != "default":
        raise MedctxError(
            f"rope.scaling is {settings.scaling!r}, but the positions of the model are scaled already ({kind}); set "
            "rope.scaling=none or start from the model before it was scaled."
        )
    known = int(config.max_position_embeddings)
    scaled = dict(current)
    if settings.scaling == "ntk":
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        turning = width * float(current.get("partial_rotary_factor", 1.0))
        scaled["rope_theta"] = float(current["rope_theta"]) * settings.factor ** (turning / (turning - 2))
    else:
        scaled |= {"rope_type": settings.scaling, "factor": settings.factor}
    if settings.scaling == "yarn":
        scaled["original_max_position_embeddings"] = known
    return RopeOverrides(rope_parameters=scaled, max_position_embeddings=int(known * settings.factor))
