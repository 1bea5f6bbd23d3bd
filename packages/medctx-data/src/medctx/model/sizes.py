"""The sizes of a decoder, as its ``config.json`` names them: what memory and arithmetic follow from."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from medctx.schemas.records import Record


class Size(Record):
    """A decoder's sizes: ``parameters`` in all; widths in units, of the residual stream (``hidden``), of a layer's
    queries and keys over all heads, and of its MLP (``intermediate``).
    """

    parameters: int = Field(ge=1)
    hidden: int = Field(ge=1)
    layers: int = Field(ge=1)
    intermediate: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    queries: int = Field(ge=1)
    keys: int = Field(ge=1)


def of_config(config: Mapping[str, object]) -> Size | None:
    """Sizes from a model's ``config.json``; nothing where it does not name them as most decoders do.

    Parameters are those of a dense decoder with gated MLPs; norms and biases are left out.
    """
    names = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")
    found = [config.get(name) for name in names]
    if not all(isinstance(value, int) and value > 0 for value in found):
        return None
    hidden, layers, intermediate, vocabulary = (int(str(value)) for value in found)
    heads, kv, head = (config.get(name) for name in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    queries = keys = hidden
    if isinstance(heads, int) and heads:
        size = head if isinstance(head, int) and head else hidden // heads
        queries, keys = heads * size, (kv if isinstance(kv, int) and kv else heads) * size
    embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
    a_layer = 2 * hidden * (queries + keys) + 3 * hidden * intermediate
    return Size(
        parameters=embeddings + layers * a_layer,
        hidden=hidden,
        layers=layers,
        intermediate=intermediate,
        vocabulary=vocabulary,
        queries=queries,
        keys=keys,
    )
