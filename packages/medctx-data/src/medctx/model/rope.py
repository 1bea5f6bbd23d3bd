"""Scaled rotary positions that an adapter was trained with: its base must be told the same wherever it is served."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.io.jsonl import read_record
from medctx.schemas.records import Record

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

FILE = "rope.json"
"""Beside an adapter; vLLM takes its content as ``--hf-overrides``."""


class RopeOverrides(Record):
    """Keys of a model's config that carry scaled rotary positions, by transformers' names."""

    rope_parameters: dict[str, float | int | str]
    max_position_embeddings: int


def read(folder: Path) -> RopeOverrides | None:
    """The overrides beside an adapter, None where its base is used as it is."""
    path = folder / FILE
    return read_record(path, RopeOverrides) if path.is_file() else None


def apply(config: PreTrainedConfig, changed: RopeOverrides) -> None:
    """Write the overrides into a model's config, before the model is built from it."""
    config.rope_parameters = dict(changed.rope_parameters)
    config.max_position_embeddings = changed.max_position_embeddings


def config_for(folder: Path, adapter: Path | None) -> PreTrainedConfig:
    """The config of a base folder as an adapter on it needs it."""
    from transformers import AutoConfig

    config: PreTrainedConfig = AutoConfig.from_pretrained(folder)
    changed = read(adapter) if adapter else None
    if changed:
        apply(config, changed)
    return config
