"""A mix on disk: Dialogues, ``exclusions.jsonl``, ``config.yaml``, a figure and ``README.md``; ``mix.json`` is written
last and marks the mix complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.digest import RecordsDigest
from medctx.io.jsonl import read_record, require_space, write_record, write_records, write_text
from medctx.io.mix_folder import DIALOGUES, SHARDS, mix_file_digests, read_dialogues
from medctx.process.progress import Advance, track
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.records import Dialogue
from medctx_data.mix_folder import dataset_card, parquet, plot
from medctx_data.mixture.draft import Draft, DraftEntry, Observed
from medctx_data.mixture.manifest import describe_mix

CONFIG = "config.yaml"
EXCLUSIONS = "exclusions.jsonl"
FIGURE = f"{plot.NAME}.png"
_BYTES_PER_TOKEN = 8


def existing(folder: Path, request: str) -> MixManifest | None:
    """Return the manifest of the mix in ``folder``, None where there is none yet.

    Raises:
        MedctxError: The folder holds another mix, which is not overwritten.
    """
    if not (folder / MIX_FILE).is_file():
        return None
    manifest = read_record(folder / MIX_FILE, MixManifest)
    if manifest.request != request:
        raise MedctxError(
            f"{folder} holds another mix (ratio {manifest.ratio}, seed {manifest.seed}, {manifest.tokens:,} tokens); "
            "choose another --out or remove that folder."
        )
    return manifest


def _counted(stream: Iterator[tuple[DraftEntry, Dialogue]], advance: Advance) -> Iterator[tuple[DraftEntry, Dialogue]]:
    for entry in stream:
        yield entry
        advance(1)


def write_mix(folder: Path, draft: Draft) -> MixManifest:
    """Write a mix. A kill at any moment leaves either no ``mix.json`` or a whole mix; whole shards are kept."""
    tokens = sum(sample.tokens for sample in draft.samples)
    require_space(folder, 2**20 + _BYTES_PER_TOKEN * tokens)
    with track("writing", len(draft.entries), "Dialogues") as advance:
        if draft.config.format == "parquet":
            observed = parquet.write_all(folder, draft, advance)
        else:
            observed = Observed()
            write_records(folder / DIALOGUES, observed.watch(_counted(draft.dialogues(), advance)))
    write_records(folder / EXCLUSIONS, draft.exclusions)
    configs.save(draft.config, folder / CONFIG)
    written = [folder / DIALOGUES] if draft.config.format == "jsonl" else sorted(folder.glob(SHARDS))
    manifest = describe_mix(draft, observed).model_copy(update={"files": mix_file_digests(written)})
    plot.draw(manifest, folder)
    write_text(folder / dataset_card.FILE, dataset_card.text(manifest, folder.name))
    write_record(folder / MIX_FILE, manifest)
    (folder / parquet.UNFINISHED).unlink(missing_ok=True)
    return manifest


def manifest_of(folder: Path) -> MixManifest:
    """Read the manifest of a finished mix."""
    if not folder.is_dir():
        raise MedctxError(f"The folder {folder} does not exist; give the --out of a medctx-data mix.")
    return read_record(folder / MIX_FILE, MixManifest)


def checked(folder: Path, manifest: MixManifest) -> Iterator[Dialogue]:
    """Yield the Dialogues of a mix; raise MedctxError after the last one if they are not those of the manifest."""
    total = RecordsDigest()
    for dialogue in read_dialogues(folder):
        total.add(dialogue)
        yield dialogue
    if total.hex() != manifest.digest:
        raise MedctxError(
            f"The Dialogues in {folder} are not those {MIX_FILE} was written for (their digest differs); "
            "run the mix again."
        )
