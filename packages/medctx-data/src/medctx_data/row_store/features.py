"""What is measured once for every row of a source and kept: marks to find duplicates by, lengths in tokens.

Large sources are measured shard by shard in several processes. Files are kept in a folder named after the source's
content and what it was measured with, so that another ratio, seed or budget measures nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from medctx.io.atomic import atomic_file
from medctx.process.progress import track
from medctx.schemas.records import Dialogue
from medctx_data.row_store.parallel import work
from medctx_data.row_store.rows import Rows

Columns = dict[str, NDArray[np.generic]]

WORTH_PROCESSES = 40_000
"""Rows from which several processes gain more than it takes to start them."""


class Measure(Protocol):
    """Something known of every Dialogue. It can be pickled."""

    @property
    def name(self) -> str:
        """What tells it apart from measures that give other numbers."""

    def __call__(self, dialogues: Sequence[Dialogue]) -> Columns:
        """Arrays, a row for each Dialogue."""


def _save(columns: Columns, path: Path) -> None:
    with atomic_file(path) as stream:
        save: Callable[..., None] = np.savez
        save(stream, **columns)


def _load(path: Path) -> Columns:
    with np.load(path) as found:
        return dict(found)


@dataclass(frozen=True)
class Job:
    """What is to be measured of the rows of one source; ``folder`` keeps it."""

    label: str
    rows: Rows
    measures: tuple[Measure, ...]
    folder: Path

    def file(self, measure: Measure, shard: int) -> Path:
        """Where the numbers of a shard lie."""
        return self.folder / measure.name / f"{shard:05d}.npz"

    def lacking(self, shard: int) -> list[Measure]:
        """The measures by which a shard was not measured yet."""
        return [measure for measure in self.measures if not self.file(measure, shard).is_file()]


class _Shard(NamedTuple):
    job: Job
    number: int

    @property
    def size(self) -> int:
        """About how many rows it has."""
        return len(self.job.rows) // self.job.rows.shards


def _measure(shard: _Shard) -> None:
    """Measure one shard by all that is lacking: its rows are read once."""
    job, number = shard
    dialogues = job.rows.shard(number)
    for measure in job.lacking(number):
        _save(measure(dialogues), job.file(measure, number))


def measure_all(jobs: Sequence[Job], processes: int) -> None:
    """Measure what no earlier time has kept; a kill loses the shards in work.

    ``processes``: how many at once where the rows are worth it, 0 for one on each core.
    """
    missing = [_Shard(job, number) for job in jobs for number in range(job.rows.shards) if job.lacking(number)]
    total = sum(shard.size for shard in missing)
    if not missing:
        return
    kinds = {measure.name.partition("-")[0] for shard in missing for measure in shard.job.lacking(shard.number)}
    labels = ", ".join(dict.fromkeys(shard.job.label for shard in missing))
    with track(f"{' and '.join(sorted(kinds))} of {labels}", total, "Dialogues") as advance:
        for shard, _ in work(_measure, missing, processes if total >= WORTH_PROCESSES else 1):
            advance(shard.size)


def measured(rows: Rows, measure: Measure, folder: Path, label: str, processes: int) -> Columns:
    """The numbers of all rows by one measure, measured now where they are not kept."""
    job = Job(label, rows, (measure,), folder)
    measure_all([job], processes)
    shards = [_load(job.file(measure, number)) for number in range(rows.shards)]
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
