"""The base model that training, merging and exams start from: a folder, a hub ID, or an embedded one."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.model.convert import safetensors_folder
from medctx.model.embedded import EMBEDDED, TINY, prepare_embedded
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


def hub_folder(name: str, revision: str, *patterns: str) -> Path:
    """Return the folder of a hub model's files that match, downloaded if they are not in the hub's cache."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name, revision=revision or None, allow_patterns=["*.json", "*.model", "*.jinja", *patterns]
            )
        )
    except Exception as error:
        raise MedctxError(
            f"The model {name!r} is not a folder and could not be downloaded from the hub "
            f"({type(error).__name__}); check the name and the network, or use {EMBEDDED!r}."
        ) from error


def config_folder(name: str) -> Path:
    """Return a folder with the config and tokenizer of a base model; the weights of a hub model are not downloaded."""
    if name in {EMBEDDED, TINY}:
        return prepare_base(name)[0]
    local = _local_folder(name)
    folder = safetensors_folder(local) if local and any(local.glob("*.gguf")) else local or hub_folder(name, "")
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
    folder = safetensors_folder(local or hub_folder(name, revision, "*.safetensors"))
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
