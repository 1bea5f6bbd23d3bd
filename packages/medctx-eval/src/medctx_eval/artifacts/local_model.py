"""Locates a model that is loaded on this machine: a folder, a hub ID, an embedded model, or a registered adapter."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io.cache import cache_folder
from medctx.model.base import find_base, prepare_base
from medctx.model.identity import ADAPTER_CONFIG, model_digest
from medctx.process.progress import say
from medctx.schemas.records import Record
from medctx.tracking import mlflow_run
from medctx.tracking.logged_adapter import AdapterCard
from medctx_eval.artifacts.run_source import MODELS, model_version

_ADAPTER = Path("artifacts", "adapter")
"""The adapter's folder in a logged model."""


class LocalModel(Record):
    """Folders of a model on this machine, and the digests they were checked against."""

    name: str
    folder: Path
    weights_digest: str
    adapter: Path | None = None
    adapter_digest: str = ""


def locate(source: str) -> LocalModel:
    """Return the folders of a model; what is missing is downloaded or made.

    Args:
        source: A model folder, a hub ID, an embedded model, or ``models:/NAME/VERSION`` or ``models:/NAME@ALIAS``.

    Raises:
        MedctxError: If the model or its base is not found, or was changed since it was recorded.
    """
    if source.startswith(MODELS):
        return _registered(source)
    if (Path(source) / ADAPTER_CONFIG).is_file():
        raise MedctxError(
            f"{source} is an adapter without its base; give both in a config: models=[{{name: NAME, folder: BASE, "
            f"adapter: {source}}}]."
        )
    folder, card = prepare_base(source)
    return LocalModel(name=Path(source).name, folder=folder, weights_digest=card.weights_digest)


def _registered(source: str) -> LocalModel:
    _, version = model_version(source)
    folder = _fetched(source, f"{version.name}-{version.version}")
    adapter = folder / _ADAPTER
    try:
        card = AdapterCard.model_validate(yaml.safe_load((folder / "MLmodel").read_bytes())["metadata"])
    except (OSError, KeyError, TypeError, yaml.YAMLError, ValidationError):
        raise MedctxError(f"{source} is not an adapter that medctx has logged; give the folder of the model.") from None
    actual = model_digest(adapter)
    if actual != card.adapter_digest:
        raise MedctxError(
            f"The adapter of {source} in {adapter} has the digest {actual[:12]}, not {card.adapter_digest[:12]} as "
            "recorded; remove this folder, and register the adapter again if the error stays."
        )
    return LocalModel(
        name=source.removeprefix(MODELS),
        folder=find_base(card.base, card.base_digest, card.base_revision),
        weights_digest=card.base_digest,
        adapter=adapter,
        adapter_digest=card.adapter_digest,
    )


def _fetched(source: str, name: str) -> Path:
    """The folder of a registered version in the cache, replaced by a fresh download."""
    store = cache_folder() / "registered"
    folder = store / name
    store.mkdir(parents=True, exist_ok=True)
    say(f"Fetching {source}")
    # Downloaded each time, since a store can be another one of the same names; it has no weights of the base.
    with tempfile.TemporaryDirectory(dir=store) as scratch:
        fetched = Path(mlflow_run.client().artifacts.download_artifacts(artifact_uri=source, dst_path=scratch))
        if folder.exists():
            folder.rename(Path(scratch) / "replaced")
        fetched.rename(folder)
    return folder
