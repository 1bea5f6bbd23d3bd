"""What a step is thought to need before anything is at hand: memory and arithmetic from a model's sizes.

Memory of training: weights in bfloat16; of every trained parameter a float32 copy, its gradient and Adam's two moments
(16 bytes); the activations that are kept (Korthikanti et al., arXiv 2205.05198, without the attention matrix, which the
kernels in use never write down), or with recomputation one per layer; the logits of a chunk of loss tokens. Arithmetic:
2 FLOP a parameter and token forward, as much again backward for the activations and for each trained parameter (Kaplan
et al., arXiv 2001.08361). These are estimates for planning, not promises.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field

from medctx.cache import cache_folder
from medctx.records import Record
from study.config import ModelConfig

GIB = 2**30
BYTES_BF16, BYTES_TRAINED, BYTES_FLOAT32 = 2, 16, 4
KEPT_ACTIVATIONS = 34
"""Bytes a token, layer and unit of width that are kept without recomputation, in 16-bit precision."""
LOSS_CHUNK = 1024
PROCESS_BYTES = GIB
"""Python, torch and the kernels' own buffers."""


class Size(Record):
    """A decoder's sizes: ``parameters`` in all, widths in units."""

    parameters: int = Field(ge=1)
    hidden: int = Field(ge=1)
    layers: int = Field(ge=1)
    intermediate: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    kv_share: float = Field(1.0, gt=0, le=1)


def of_config(config: dict[str, object]) -> Size | None:
    """Sizes from a model's ``config.json``; nothing where it does not name them as most decoders do."""
    names = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")
    found = [config.get(name) for name in names]
    if not all(isinstance(value, int) and value > 0 for value in found):
        return None
    hidden, layers, intermediate, vocabulary = (int(str(value)) for value in found)
    heads, kv = config.get("num_attention_heads"), config.get("num_key_value_heads")
    share = kv / heads if isinstance(heads, int) and isinstance(kv, int) and heads else 1.0
    embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
    a_layer = hidden * hidden * (2 + 2 * share) + 3 * hidden * intermediate
    return Size(
        parameters=round(embeddings + layers * a_layer),
        hidden=hidden,
        layers=layers,
        intermediate=intermediate,
        vocabulary=vocabulary,
        kv_share=share,
    )


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


def size_of(model: ModelConfig) -> Size | None:
    """A model's sizes as the study states them, else from its config where that is at hand; asks no network."""
    stated = (model.parameters, model.hidden, model.layers, model.intermediate, model.vocabulary)
    if all(stated):
        parameters, hidden, layers, intermediate, vocabulary = (int(value or 0) for value in stated)
        share = (model.kv_heads / model.heads) if model.heads and model.kv_heads else 1.0
        return Size(
            parameters=parameters,
            hidden=hidden,
            layers=layers,
            intermediate=intermediate,
            vocabulary=vocabulary,
            kv_share=share,
        )
    file = _config_file(model.id)
    return of_config(json.loads(file.read_text(encoding="utf-8"))) if file is not None else None


class Training(Record):
    """How a model is trained, as far as it decides what that takes. ``rank`` 0: every parameter is trained.

    ``quantised``: frozen weights in 4 bits; ``every_linear``: adapters on all linear layers, else on two of the
    attention's; ``recomputed``: activations are computed again instead of kept.
    """

    rank: int = Field(16, ge=0)
    quantised: bool = False
    every_linear: bool = True
    recomputed: bool = False
    row_tokens: int = Field(512, ge=1)


def trained_parameters(size: Size, training: Training) -> int:
    """How many parameters are changed."""
    if not training.rank:
        return size.parameters
    hidden, kv, inner = size.hidden, round(size.hidden * size.kv_share), size.intermediate
    attention = 2 * (hidden + hidden) + 2 * (hidden + kv)
    wide = attention + 3 * (hidden + inner)
    narrow = (hidden + hidden) + (hidden + kv)
    return size.layers * training.rank * (wide if training.every_linear else narrow)


def training_bytes(size: Size, training: Training) -> int:
    """Memory of one process that trains, with one row at a time."""
    trained = trained_parameters(size, training)
    weights = size.parameters * (0.55 if training.quantised else BYTES_BF16)
    kept = KEPT_ACTIVATIONS * size.hidden + 4 * size.intermediate
    layers = 1 if training.recomputed else size.layers
    activations = training.row_tokens * (layers * kept + size.layers * BYTES_BF16 * size.hidden)
    logits = 2 * BYTES_FLOAT32 * min(training.row_tokens, LOSS_CHUNK) * size.vocabulary
    return round(weights + BYTES_TRAINED * trained + activations + logits) + PROCESS_BYTES


def training_flop(size: Size, training: Training, tokens: int) -> float:
    """Arithmetic of training on so many tokens."""
    passes = 2 + 2 + 2 * trained_parameters(size, training) / size.parameters + (2 if training.recomputed else 0)
    return passes * size.parameters * tokens


def answering_bytes(size: Size, positions: int) -> int:
    """Memory of weights and one sequence's keys and values."""
    cache = 2 * size.layers * round(size.hidden * size.kv_share) * BYTES_BF16 * positions
    return size.parameters * BYTES_BF16 + cache + PROCESS_BYTES


def answering_flop(size: Size, tokens: int) -> float:
    """Arithmetic of reading so many tokens."""
    return 2.0 * size.parameters * tokens
