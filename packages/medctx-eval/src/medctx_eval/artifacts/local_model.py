"""Locates a model that is loaded on this machine: a folder, a hub ID, an embedded model, or an adapter."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import yaml
from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io.cache import cache_folder
from medctx.io.jsonl import read_record
from medctx.model.base import find_adapter, find_base, prepare_base
from medctx.model.identity import ADAPTER_CONFIG, model_digest
from medctx.model.recorded import verified_digest
from medctx.process.progress import say
from medctx.schemas.records import Record
from medctx.schemas.sft import BASE_FILE, REPAIR_FILE, SFT_FILE, BaseCard
from medctx.tracking import mlflow_run
from medctx.tracking.logged_adapter import EXAM_SETTINGS, AdapterCard
from medctx_eval.artifacts.run_source import MODELS, model_version

_ADAPTER = Path("artifacts", "adapter")
"""The adapter's folder in a logged model."""


class LocalModel(Record):
    """Folders of a model on this machine, and the digests they were checked against.

    ``base`` and ``revision`` find the model, or the base of the adapter, on another machine.
    """

    name: str
    folder: Path
    weights_digest: str
    adapter: Path | None = None
    adapter_digest: str = ""
    base: str = ""
    revision: str = ""
    licence: str = ""

    def as_config(self) -> str:
        """Its entry under ``models`` in the config of an exam; JSON is YAML whatever characters are in the paths."""
        return self.model_dump_json(exclude_none=True, exclude={"base", "revision", "licence"})

    @property
    def exam_settings(self) -> Path | None:
        """The config by which a study examined the adapter, None if there is none beside it."""
        file = self.adapter / EXAM_SETTINGS if self.adapter else None
        return file if file is not None and file.is_file() else None


def locate(source: str, base: str = "") -> LocalModel:
    """Return the folders of a model; what is missing is downloaded or made.

    Args:
        source: A model folder, a hub ID, an embedded model, the folder or hub ID of a PEFT adapter, or
            ``models:/NAME/VERSION`` or ``models:/NAME@ALIAS``.
        base: The base of an adapter; "" for the one that the adapter names.

    Returns:
        The folder of the model, or of the adapter's base and of the adapter, with their digests.

    Raises:
        MedctxError: If the model or its base is not found, or was changed since it was recorded.
    """
    if source.startswith(MODELS):
        return _registered(source)
    folder = find_adapter(source)
    if folder is not None:
        return _on_base(source, folder, base)
    if base:
        raise MedctxError(f"{source} is no adapter ({ADAPTER_CONFIG}), so it has no base; leave base out.")
    folder, card = prepare_base(source)
    return LocalModel(name=Path(source).name, folder=folder, weights_digest=card.weights_digest, **_origin(card))


def _origin(card: BaseCard) -> dict[str, str]:
    return {"base": card.portable_name, "revision": card.revision, "licence": card.licence}


def _recorded_base(adapter: Path) -> BaseCard | None:
    """The card of the base an adapter was trained on, in its folder or in the manifest of its run."""
    if (adapter / BASE_FILE).is_file():
        return read_record(adapter / BASE_FILE, BaseCard)
    for manifest in (adapter.parent / SFT_FILE, adapter.parent / REPAIR_FILE):
        if manifest.is_file():
            with suppress(ValueError, KeyError, TypeError):
                return BaseCard.model_validate(json.loads(manifest.read_bytes())["base"])
    return None


def _on_base(source: str, adapter: Path, base: str) -> LocalModel:
    recorded = _recorded_base(adapter)
    try:
        settings: object = json.loads((adapter / ADAPTER_CONFIG).read_bytes())
    except ValueError:
        raise MedctxError(f"{adapter / ADAPTER_CONFIG} is not JSON; copy the adapter again.") from None
    stated = settings.get("base_model_name_or_path") if isinstance(settings, dict) else None
    name = base or (recorded.name if recorded else "") or str(stated or "")
    if not name:
        raise MedctxError(f"The adapter {source} does not say what it was trained on; give its base.")
    try:
        folder, card = prepare_base(name)
    except MedctxError as error:
        raise MedctxError(f"The base of the adapter {source} was not found: {error}") from None
    if recorded and recorded.weights_digest != card.weights_digest:
        raise MedctxError(
            f"The adapter {source} was trained on {recorded.name} with the digest {recorded.weights_digest[:12]}, but "
            f"{name} has {card.weights_digest[:12]}; give the base that it was trained on."
        )
    return LocalModel(
        name=Path(source).name,
        folder=folder,
        weights_digest=card.weights_digest,
        adapter=adapter,
        adapter_digest=verified_digest(adapter),
        **_origin(card),
    )


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
        base=card.base,
        revision=card.base_revision,
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
