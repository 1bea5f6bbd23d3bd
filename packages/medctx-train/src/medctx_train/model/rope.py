"""Rotary positions scaled to contexts longer than a model was trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.model.rope import RopeOverrides
from medctx_train.model.config import RopeSettings

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def overrides(settings: RopeSettings, config: PreTrainedConfig) -> RopeOverrides | None:
    """Return the keys of a model's config that the scaling changes; None without scaling.

    Raises:
        MedctxError: If the model has no single set of rotary positions, or they are scaled already.
    """
    if settings.scaling == "none":
        return None
    current = getattr(config, "rope_parameters", None)
    if not isinstance(current, dict) or "rope_theta" not in current:
        raise MedctxError(
            f"rope.scaling is {settings.scaling!r}, but the model ({config.model_type}) has no single set of rotary "
            "positions to scale; set rope.scaling=none."
        )
    rope_type = current.get("rope_type", "default")
    if rope_type != "default":
        raise MedctxError(
            f"rope.scaling is {settings.scaling!r}, but the model's positions are already scaled ({rope_type}); set "
            "rope.scaling=none or use the model from before it was scaled."
        )
    trained_length = int(config.max_position_embeddings)
    scaled = dict(current)
    if settings.scaling == "ntk":
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        rotated = head_size * float(current.get("partial_rotary_factor", 1.0))
        scaled["rope_theta"] = float(current["rope_theta"]) * settings.factor ** (rotated / (rotated - 2))
    else:
        scaled |= {"rope_type": settings.scaling, "factor": settings.factor}
    if settings.scaling == "yarn":
        scaled["original_max_position_embeddings"] = trained_length
    return RopeOverrides(rope_parameters=scaled, max_position_embeddings=int(trained_length * settings.factor))
