"""Model and adapter folders that medctx wrote, compared with the digest that was recorded when they were written."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.model.identity import ADAPTER_CONFIG, model_digest
from medctx.schemas.sft import BASE_FILE, MERGE_FILE, REPAIR_FILE, RETAINED_FILE, SFT_FILE, RetainedStates


def _recorded_in(path: Path, folder: Path) -> str:
    """Return the digest that a manifest states for ``folder``; "" if it states none."""
    if path.name == RETAINED_FILE:
        states = RetainedStates.model_validate_json(path.read_bytes()).states
        return next((state.weights_digest for state in states if state.folder == folder.name), "")
    manifest = json.loads(path.read_bytes())
    if path.parent != folder and manifest["weights"] != folder.name:
        return ""
    return str(manifest["weights_digest"])


def recorded_digest(folder: Path) -> tuple[str, Path | None]:
    """Return the digest recorded for a model or adapter folder, and the file that states it.

    The card of a prepared base and the manifest of a merge are in the folder, those of training, repairs and retained
    weights beside it. In an adapter's folder ``base.json`` is the card of its base.
    """
    inside = [MERGE_FILE] if (folder / ADAPTER_CONFIG).is_file() else [BASE_FILE, MERGE_FILE]
    beside = [SFT_FILE, REPAIR_FILE, RETAINED_FILE]
    for path in [*(folder / name for name in inside), *(folder.absolute().parent / name for name in beside)]:
        if not path.is_file():
            continue
        try:
            recorded = _recorded_in(path, folder)
        except (ValidationError, ValueError, KeyError, TypeError, RecursionError):
            raise MedctxError(
                f"{path} cannot be read as the record of {folder}; restore it, or remove it if the model is your own."
            ) from None
        if recorded:
            return recorded, path
    return "", None


def verified_digest(folder: Path) -> str:
    """Return the digest of a model or adapter folder, compared with the recorded one if there is one.

    Raises:
        MedctxError: If the folder was changed after it was written, or holds no weights.
    """
    actual = model_digest(folder)
    recorded, source = recorded_digest(folder)
    if source is not None and recorded != actual:
        raise MedctxError(
            f"The files in {folder} have the digest {actual[: digest.SHORT]}, but {source} states "
            f"{recorded[: digest.SHORT]}: they were changed after they were written; make them again, or remove "
            f"{source.name} if the change is your own."
        )
    return actual
