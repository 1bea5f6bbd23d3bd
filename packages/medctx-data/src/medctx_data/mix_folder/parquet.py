"""A mix written as Parquet shards, several at a time; what a kill has left whole is not written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from medctx.io import digest
from medctx.io.jsonl import write_text
from medctx.io.mix_folder import SHARDS, read_shard, shard_name, write_shard
from medctx.process.progress import Advance
from medctx_data.mixture.compose import Counts, Draft, Entry, Observed, drawn
from medctx_data.row_store.parallel import work
from medctx_data.row_store.rows import Rows, Stored

UNFINISHED = ".unfinished"
SHARD = 50_000
"""Dialogues of a Parquet file."""


@dataclass(frozen=True)
class _Shard:
    """One file and what belongs into it."""

    path: Path
    rows: tuple[Rows, ...]
    entries: tuple[Entry, ...]


class _Written(NamedTuple):
    """What is known of a shard once it lies there: its Dialogues' digests in their order, and their counts."""

    digests: tuple[str, ...]
    counts: Counts


def _write(shard: _Shard) -> _Written:
    """Write a shard, or read it where it lies there whole."""
    if shard.path.is_file():
        dialogues = list(read_shard(shard.path))
    else:
        dialogues = [dialogue for _, dialogue in drawn(shard.rows, shard.entries)]
        write_shard(shard.path, dialogues)
    counts = Counts()
    for entry, dialogue in zip(shard.entries, dialogues, strict=True):
        counts.see(entry, dialogue)
    return _Written(tuple(digest.of_record(dialogue) for dialogue in dialogues), counts)


def _begin(folder: Path, request: str) -> None:
    """Mark the folder as this mix's; half-written files and shards of another, unfinished mix are removed."""
    mark = folder / UNFINISHED
    for torn in folder.glob(f".{SHARDS}*"):
        torn.unlink()
    if not mark.is_file() or mark.read_text(encoding="utf-8") != request:
        for stale in folder.glob(SHARDS):
            stale.unlink()
        write_text(mark, request)


def _cut(folder: Path, draft: Draft) -> list[_Shard]:
    total = -(-len(draft.entries) // SHARD)
    return [
        _Shard(folder / shard_name(number, total), draft.rows, draft.entries[number * SHARD : (number + 1) * SHARD])
        for number in range(total)
    ]


def write_all(folder: Path, draft: Draft, advance: Advance) -> Observed:
    """Write the shards of a mix that are not there yet.

    Several processes write where the rows lie on disk; rows in memory would have to be carried to them.
    """
    _begin(folder, draft.request)
    shards = _cut(folder, draft)
    apart = all(isinstance(rows, Stored) for rows in draft.rows)
    written: dict[Path, _Written] = {}
    for shard, one in work(_write, shards, draft.config.processes if apart else 1):
        written[shard.path] = one
        advance(len(shard.entries))
    return _observed([written[shard.path] for shard in shards])


def _observed(written: Sequence[_Written]) -> Observed:
    observed = Observed()
    for one in written:
        for own in one.digests:
            observed.digest.add_digest(own)
        observed.counts.take_in(one.counts)
    return observed
