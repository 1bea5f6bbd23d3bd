"""Sizes of a study's models, from the study or from a config file on this machine; no network is asked."""

from __future__ import annotations

import json
from pathlib import Path

from medctx.io.cache import cache_folder
from medctx.model.sizes import DecoderSize, decoder_size
from study.config.study import BaseConfig


def _config_file(name: str) -> Path | None:
    """A model's config where it lies already: a folder, the embedded models' cache, the hub's cache."""
    for folder in (Path(name), cache_folder() / name):
        if (folder / "config.json").is_file():
            return folder / "config.json"
    if name.count("/") != 1:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


def size_of(model: BaseConfig) -> DecoderSize | None:
    """A model's sizes as the study states them, else from its config; None where neither is known."""
    stated = (model.parameters, model.hidden, model.layers, model.intermediate, model.vocabulary)
    if all(stated):
        parameters, hidden, layers, intermediate, vocabulary = (int(value or 0) for value in stated)
        share = (model.kv_heads / model.heads) if model.heads and model.kv_heads else 1.0
        return DecoderSize(
            parameters=parameters,
            hidden=hidden,
            layers=layers,
            intermediate=intermediate,
            vocabulary=vocabulary,
            queries=hidden,
            keys=max(1, round(hidden * share)),
        )
    file = _config_file(model.id)
    return decoder_size(json.loads(file.read_text(encoding="utf-8"))) if file is not None else None
