"""The base model that training, merging and exams start from: a folder, a hub ID, or an embedded one."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.model.convert import (
    ADAPTER_WEIGHTS,
    PICKLED,
    PICKLED_ADAPTER,
    safetensors_adapter,
    safetensors_folder,
)
from medctx.model.embedded import EMBEDDED, TINY, prepare_embedded
from medctx.model.identity import ADAPTER_CONFIG
from medctx.model.recorded import verified_digest
from medctx.schemas.sft import BaseCard
from medctx.text.tokenizer import require_tokenizer


def _local_folder(name: str) -> Path | None:
    """Return the folder a name means, or None if it is a hub id."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith("."):
        raise MedctxError(f"The model folder {name} does not exist; give a folder, a hub id, or {EMBEDDED!r}.")
    return None


_SMALL = ("*.json", "*.model", "*.jinja", "*.txt", "*.py")
_NOT_LOADED = ("consolidated*", "original/*", "onnx/*")
"""Copies of the weights in the formats of other libraries."""


def _hub_folder(name: str, revision: str, *patterns: str) -> Path:
    """Return the folder of a hub model's files that match, downloaded if they are not in the hub's cache."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name,
                revision=revision or None,
                allow_patterns=[*_SMALL, *patterns],
                ignore_patterns=list(_NOT_LOADED),
            )
        )
    except Exception as error:
        raise MedctxError(
            f"The model {name!r} is not a folder and could not be downloaded from the hub "
            f"({type(error).__name__}); check the name and the network, or use {EMBEDDED!r}."
        ) from error


def _only_gguf(name: str, revision: str) -> str:
    """The one GGUF file of a hub model; "" if it has none, or the hub does not answer.

    Raises:
        MedctxError: If there are several, of which each is a model of its own.
    """
    from huggingface_hub import HfApi

    try:
        listed = HfApi().list_repo_files(name, revision=revision or None)
    except Exception:
        return ""
    files = [file for file in listed if file.endswith(".gguf")]
    if len(files) > 1:
        raise MedctxError(
            f"The model {name} has {len(files)} GGUF files ({', '.join(files[:5])}{', ...' if files[5:] else ''}); "
            f"download one (hf download {name} {files[0]} --local-dir FOLDER) and give its folder."
        )
    return files[0] if files else ""


def _hub_model(name: str, revision: str) -> Path:
    """Return the folder of a hub model with its weights in safetensors or, where it has none, what is converted."""
    folder = _hub_folder(name, revision, "*.safetensors")
    if not any(folder.glob("*.safetensors")):
        folder = _hub_folder(name, revision, f"{PICKLED}*.bin")
        if not any(folder.glob(f"{PICKLED}*.bin")) and (gguf := _only_gguf(name, revision)):
            folder = _hub_folder(name, revision, gguf)
    return folder


def find_adapter(source: str) -> Path | None:
    """Return the folder of a PEFT adapter with its weights in safetensors; None if ``source`` is something else.

    Args:
        source: The adapter's folder, that of the run that trained it, or a hub ID.

    Raises:
        MedctxError: If the hub does not answer, or the adapter's weights cannot be converted.
    """
    for folder in (Path(source), Path(source) / "adapter"):
        if (folder / ADAPTER_CONFIG).is_file():
            return safetensors_adapter(folder)
    if Path(source).exists() or source.count("/") != 1 or source.startswith((".", "/", "~")):
        return None
    folder = _hub_folder(source, "", ADAPTER_WEIGHTS)
    if not (folder / ADAPTER_CONFIG).is_file():
        return None
    if not (folder / ADAPTER_WEIGHTS).is_file():
        folder = _hub_folder(source, "", PICKLED_ADAPTER)
    return safetensors_adapter(folder)


def config_folder(name: str) -> Path:
    """Return a folder with the config and tokenizer of a base model; the weights of a hub model are not downloaded."""
    if name in {EMBEDDED, TINY}:
        return prepare_base(name)[0]
    local = _local_folder(name)
    if local is None:
        hub = _hub_folder(name, "")
        local = hub if (hub / "config.json").is_file() else _hub_model(name, "")
    folder = safetensors_folder(local) if any(local.glob("*.gguf")) else local
    require_tokenizer(folder)
    return folder


def prepare_base(name: str, revision: str = "") -> tuple[Path, BaseCard]:
    """Return the folder of a base model and its card; an embedded model is made on first use.

    Args:
        name: ``smollm2-135m-instruct`` or ``tiny-random-llama`` (embedded), a folder, or a hub ID.
        revision: Commit of a model from the hub; "" for the newest.

    Raises:
        MedctxError: If the model cannot be found, has no weights that are loaded or converted, or was changed after
            medctx wrote it.
    """
    if name in {EMBEDDED, TINY}:
        return prepare_embedded(name)
    local = _local_folder(name)
    folder = safetensors_folder(local or _hub_model(name, revision))
    require_tokenizer(folder)
    card = BaseCard(
        name=name,
        source=name,
        licence="see the model card",
        weights_digest=verified_digest(folder),
        id=name if local is None else local.resolve().name,
        # The hub's cache names the folder of a snapshot by its commit.
        revision=folder.name if local is None else "",
    )
    return folder, card


def find_base(name: str, weights_digest: str, revision: str = "") -> Path:
    """Return the folder of the base that an adapter was trained on.

    Args:
        name: Its portable name (``BaseCard.id``), or a folder.
        weights_digest: Its recorded digest.
        revision: Commit of a base from the hub.

    Raises:
        MedctxError: If it is not found, or the model found is another one.
    """
    short = weights_digest[: digest.SHORT]
    if name not in {EMBEDDED, TINY} and "/" not in name and not Path(name).is_dir():
        raise MedctxError(
            f"The base {name!r} (digest {short}) was a folder on the machine that trained the adapter; set MEDCTX_BASE "
            "to its folder on this machine."
        )
    folder, card = prepare_base(name, revision)
    if card.weights_digest != weights_digest:
        raise MedctxError(
            f"The base {name} in {folder} has the digest {card.weights_digest[: digest.SHORT]}, but the adapter was "
            f"trained on {short}; set MEDCTX_BASE to the folder of that model."
        )
    return folder
