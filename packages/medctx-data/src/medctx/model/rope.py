"""Scaled rotary positions that an adapter was trained with: its base needs the same overrides wherever it is served."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.io.jsonl import read_record
from medctx.model.decoder_config import read_config
from medctx.schemas.records import Record

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

FILE = "rope.json"
"""File in the folder of an adapter; vLLM accepts its content as ``--hf-overrides``."""


class RopeOverrides(Record):
    """Keys of a model config that hold scaled rotary positions, by transformers' names."""

    rope_parameters: dict[str, float | int | str]
    max_position_embeddings: int


def read_overrides(folder: Path) -> RopeOverrides | None:
    """Read the overrides in the folder of an adapter; None if its base is used unchanged."""
    path = folder / FILE
    return read_record(path, RopeOverrides) if path.is_file() else None


def apply(config: PreTrainedConfig, overrides: RopeOverrides) -> None:
    """Write the overrides into a model config, before the model is built from it."""
    config.rope_parameters = dict(overrides.rope_parameters)
    config.max_position_embeddings = overrides.max_position_embeddings


def config_for(folder: Path, adapter: Path | None) -> PreTrainedConfig:
    """Load the config of a base model with the overrides of an adapter on it."""
    config = read_config(folder)
    overrides = read_overrides(adapter) if adapter else None
    if overrides:
        apply(config, overrides)
    return config
