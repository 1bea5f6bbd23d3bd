"""A mix on disk: ``dialogues.jsonl``, ``config.yaml``, and ``mix.json`` last, which makes it complete."""

from __future__ import annotations

from pathlib import Path

from medctx import config as configs
from medctx import digest
from medctx.errors import MedctxError
from medctx.jsonl import read_record, read_records, require_space, write_record, write_records
from medctx.records import Dialogue
from medctx_data import figure
from medctx_data.manifest import MixManifest
from medctx_data.mix import Mix
from medctx_data.mix_config import MixConfig

DIALOGUES = "dialogues.jsonl"
MANIFEST = "mix.json"
CONFIG = "config.yaml"
FIGURE = "composition.png"


def existing(folder: Path, request: str) -> MixManifest | None:
    """The manifest of the mix that lies in ``folder``, None where there is none yet.

    Raises MedctxError where another mix lies there: it is not overwritten.
    """
    if not (folder / MANIFEST).is_file():
        return None
    manifest = read_record(folder / MANIFEST, MixManifest)
    if manifest.request != request:
        raise MedctxError(
            f"{folder} holds another mix (ratio {manifest.ratio}, seed {manifest.seed}, {manifest.tokens:,} tokens); "
            "choose another --out or remove that folder."
        )
    return manifest


def write(folder: Path, config: MixConfig, mix: Mix) -> None:
    """Write a mix. A kill at any moment leaves either no ``mix.json`` or a whole mix."""
    require_space(folder, 2**20 + sum(len(dialogue.model_dump_json()) * 2 for dialogue in mix.dialogues))
    write_records(folder / DIALOGUES, mix.dialogues)
    configs.save(config, folder / CONFIG)
    figure.draw(mix.manifest, folder / FIGURE)
    write_record(folder / MANIFEST, mix.manifest)


def read(folder: Path) -> Mix:
    """Read a mix; raises MedctxError where it is incomplete or its Dialogues were changed."""
    if not folder.is_dir():
        raise MedctxError(f"The folder {folder} does not exist; give the --out of a medctx-data mix.")
    manifest = read_record(folder / MANIFEST, MixManifest)
    dialogues = tuple(read_records(folder / DIALOGUES, Dialogue))
    if digest.of_records(dialogues) != manifest.digest:
        raise MedctxError(
            f"{folder / DIALOGUES} is not what {MANIFEST} was written for (its digest differs); mix it anew."
        )
    return Mix(dialogues, manifest)
