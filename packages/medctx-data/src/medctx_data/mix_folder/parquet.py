"""Writing a mix as Parquet shards, several at a time; whole shards that a kill has left are not written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import write_text
from medctx.io.mix_folder import SHARDS, read_shard, shard_name, write_shard
from medctx.process.progress import Advance
from medctx.schemas.records import Dialogue
from medctx_data.mixture.draft import Counts, Draft, DraftEntry, Observed, read_draft
from medctx_data.row_store.parallel import work
from medctx_data.row_store.rows import Rows, ShardedRows

UNFINISHED = ".unfinished"
SHARD = 50_000
"""Dialogues per Parquet file."""


@dataclass(frozen=True)
class _Shard:
    """One file and its entries."""

    path: Path
    rows: tuple[Rows, ...]
    entries: tuple[DraftEntry, ...]


class _Written(NamedTuple):
    """The digests of a written shard's Dialogues in their order, and their counts."""

    digests: tuple[str, ...]
    counts: Counts


def _existing(shard: _Shard) -> list[Dialogue] | None:
    """The Dialogues of a shard that an interrupted call has written; None where it is missing or damaged."""
    if not shard.path.is_file():
        return None
    try:
        dialogues = list(read_shard(shard.path))
    except MedctxError:
        return None
    return dialogues if len(dialogues) == len(shard.entries) else None


def _write(shard: _Shard) -> _Written:
    """Write a shard, or read it where it exists and is whole."""
    dialogues = _existing(shard)
    if dialogues is None:
        dialogues = [dialogue for _, dialogue in read_draft(shard.rows, shard.entries)]
        write_shard(shard.path, dialogues)
    counts = Counts()
    for entry, dialogue in zip(shard.entries, dialogues, strict=True):
        counts.add(entry, dialogue)
    return _Written(tuple(digest.of_record(dialogue) for dialogue in dialogues), counts)


def _begin(folder: Path, request: str) -> None:
    """Mark the folder as this mix's; remove half-written files and the shards of another, unfinished mix."""
    mark = folder / UNFINISHED
    for torn in folder.glob(f".{SHARDS}*"):
        torn.unlink()
    if not mark.is_file() or mark.read_text(encoding="utf-8") != request:
        for stale in folder.glob(SHARDS):
            stale.unlink()
        write_text(mark, request)


def _shards(folder: Path, draft: Draft) -> list[_Shard]:
    total = -(-len(draft.entries) // SHARD)
    return [
        _Shard(folder / shard_name(number, total), draft.rows, draft.entries[number * SHARD : (number + 1) * SHARD])
        for number in range(total)
    ]


def write_all(folder: Path, draft: Draft, advance: Advance) -> Observed:
    """Write the missing shards of a mix.

    Several processes write if the rows lie on disk; rows in memory would have to be copied to them.
    """
    _begin(folder, draft.request)
    shards = _shards(folder, draft)
    on_disk = all(isinstance(rows, ShardedRows) for rows in draft.rows)
    written: dict[Path, _Written] = {}
    for shard, result in work(_write, shards, draft.config.processes if on_disk else 1):
        written[shard.path] = result
        advance(len(shard.entries))
    return _observed([written[shard.path] for shard in shards])


def _observed(written: Sequence[_Written]) -> Observed:
    observed = Observed()
    for shard in written:
        for dialogue_digest in shard.digests:
            observed.digest.add_digest(dialogue_digest)
        observed.counts.merge(shard.counts)
    return observed
