"""Sizes of a decoder from its ``config.json``, from which memory and FLOP are estimated."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from medctx.schemas.records import Record


class DecoderSize(Record):
    """Sizes of a decoder.

    Attributes:
        parameters: Number of parameters.
        hidden: Width of the residual stream.
        layers: Number of layers.
        heads: Query heads of a layer; 1 if the config does not name them.
        intermediate: Width of an MLP.
        vocabulary: Number of tokens.
        queries: Width of a layer's queries over all heads.
        keys: Width of a layer's keys over all heads.
    """

    parameters: int = Field(ge=1)
    hidden: int = Field(ge=1)
    layers: int = Field(ge=1)
    heads: int = Field(1, ge=1)
    intermediate: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    queries: int = Field(ge=1)
    keys: int = Field(ge=1)


def decoder_size(config: Mapping[str, object]) -> DecoderSize | None:
    """Return the sizes in a model's ``config.json``, None where they have other names than in most decoders.

    Parameters are those of a dense decoder with gated MLPs, without norms and biases.
    """
    names = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")
    values = [config.get(name) for name in names]
    if not all(isinstance(value, int) and value > 0 for value in values):
        return None
    hidden, layers, intermediate, vocabulary = (int(str(value)) for value in values)
    heads, kv, head = (config.get(name) for name in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    queries = keys = hidden
    if isinstance(heads, int) and heads:
        size = head if isinstance(head, int) and head else hidden // heads
        queries, keys = heads * size, (kv if isinstance(kv, int) and kv else heads) * size
    embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
    a_layer = 2 * hidden * (queries + keys) + 3 * hidden * intermediate
    return DecoderSize(
        parameters=embeddings + layers * a_layer,
        hidden=hidden,
        layers=layers,
        heads=heads if isinstance(heads, int) and heads else 1,
        intermediate=intermediate,
        vocabulary=vocabulary,
        queries=queries,
        keys=keys,
    )
