"""Sizes of a study's models, and what their steps are thought to need before anything is at hand. Memory of training is
worked out as ``medctx-train estimate`` does; these are estimates for planning, not promises.
"""

from __future__ import annotations

import json
from pathlib import Path

from medctx.io.cache import cache_folder
from medctx.model.sizes import DecoderSize, decoder_size
from medctx.model.training_memory import PROCESS_BYTES, Training
from study.config.study import ModelConfig

BYTES_BF16, BYTES_FLOAT32 = 2, 4
"""Bytes of a number."""


def _config_file(name: str) -> Path | None:
    """A model's config where it lies already: a folder, the embedded models' cache, the hub's cache."""
    for folder in (Path(name), cache_folder() / name):
        if (folder / "config.json").is_file():
            return folder / "config.json"
    if name.count("/") != 1:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json")
    return Path(found) if isinstance(found, str) else None


def size_of(model: ModelConfig) -> DecoderSize | None:
    """A model's sizes as the study states them, else from its config where that is at hand; asks no network."""
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


def training_flop(size: DecoderSize, training: Training, tokens: int) -> float:
    """Arithmetic of training on so many tokens: 2 FLOP a parameter and token forward, as much again backward for the
    activations and for each trained parameter (Kaplan et al., arXiv 2001.08361).
    """
    share = training.trained.parameters / size.parameters
    return (2 + 2 + 2 * share + (2 if training.recomputed else 0)) * size.parameters * tokens


def answering_bytes(size: DecoderSize, positions: int) -> int:
    """Memory of weights and one sequence's keys and values."""
    cache = 2 * size.layers * size.keys * BYTES_BF16 * positions
    return size.parameters * BYTES_BF16 + cache + PROCESS_BYTES


def answering_flop(size: DecoderSize, tokens: int) -> float:
    """Arithmetic of reading so many tokens."""
    return 2.0 * size.parameters * tokens
