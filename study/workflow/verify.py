"""Checking that what a finished step made is still what it reported, before it is used again."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.digest import RecordsDigest
from medctx.io.mix_folder import read_dialogues
from medctx.model.identity import model_digest
from medctx.schemas.result import CommandResult, Output


def _digest_of(output: Output, path: Path) -> str:
    """The digest of an output as its command computed it."""
    if output.kind == "mix":
        records = RecordsDigest()
        for dialogue in read_dialogues(path):
            records.add(dialogue)
        return records.hex()
    return model_digest(path)


def require_unchanged(folder: Path, result: CommandResult) -> None:
    """Compare the Dialogues and weights of a finished step with the digests it reported.

    Raises:
        MedctxError: Where a file was changed, damaged or removed since.
    """
    for output in result.outputs:
        if output.kind not in {"mix", "adapter", "model"} or not output.digest:
            continue
        path = folder / output.path
        try:
            unchanged = _digest_of(output, path) == output.digest
        except (MedctxError, UnicodeDecodeError) as error:
            raise MedctxError(f"{error} It is part of the finished step {folder}: remove that folder.") from None
        if not unchanged:
            raise MedctxError(
                f"The {output.kind} in {path} was changed after its step had finished (its digest differs); remove "
                f"{folder} and run the study again."
            )
