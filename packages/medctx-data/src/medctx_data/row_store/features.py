"""Measurements made once per row of a source and kept: fingerprints for finding duplicates, lengths in tokens.

Large sources are measured shard by shard in several processes. The files lie in a folder named after the source's
content and the measurement, so that another ratio, seed or budget measures nothing again.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from medctx.io.atomic import atomic_file
from medctx.process.progress import track
from medctx.schemas.records import Dialogue
from medctx_data.row_store.parallel import work
from medctx_data.row_store.rows import Columns, Rows

WORTH_PROCESSES = 40_000
"""Rows from which several processes save more time than starting them takes."""


class Measure(Protocol):
    """A measurement of every Dialogue. It can be pickled."""

    @property
    def name(self) -> str:
        """A name that differs between measurements with different results."""

    def __call__(self, dialogues: Sequence[Dialogue]) -> Columns:
        """Return arrays with one row per Dialogue."""


def _save(columns: Columns, path: Path) -> None:
    with atomic_file(path) as stream:
        save: Callable[..., None] = np.savez
        save(stream, **columns)


def _load(path: Path) -> Columns | None:
    """The columns of a file; None where it is damaged (the archive has checksums)."""
    try:
        with np.load(path) as columns:
            return dict(columns)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None


@dataclass(frozen=True)
class FeatureJob:
    """The measurements to make of the rows of one source; ``folder`` keeps the results."""

    label: str
    rows: Rows
    measures: tuple[Measure, ...]
    folder: Path

    def file(self, measure: Measure, shard: int) -> Path:
        """The file of one measurement of one shard."""
        return self.folder / measure.name / f"{shard:05d}.npz"

    def missing(self, shard: int) -> list[Measure]:
        """The measurements that were not made of a shard yet."""
        return [measure for measure in self.measures if not self.file(measure, shard).is_file()]


class _Shard(NamedTuple):
    job: FeatureJob
    number: int

    @property
    def size(self) -> int:
        """Its approximate number of rows."""
        return len(self.job.rows) // self.job.rows.shards


def _measure(shard: _Shard) -> None:
    """Make all missing measurements of one shard, whose rows are read once."""
    job, number = shard
    dialogues = job.rows.shard(number)
    for measure in job.missing(number):
        _save(measure(dialogues), job.file(measure, number))


def measure_all(jobs: Sequence[FeatureJob], processes: int) -> None:
    """Make all measurements that are not kept yet; a kill loses the shards in work.

    ``processes``: how many at once where there are enough rows, 0 for one per core.
    """
    missing = [_Shard(job, number) for job in jobs for number in range(job.rows.shards) if job.missing(number)]
    total = sum(shard.size for shard in missing)
    if not missing:
        return
    kinds = {measure.name.partition("-")[0] for shard in missing for measure in shard.job.missing(shard.number)}
    labels = ", ".join(dict.fromkeys(shard.job.label for shard in missing))
    with track(f"{' and '.join(sorted(kinds))} of {labels}", total, "Dialogues") as advance:
        for shard, _ in work(_measure, missing, processes if total >= WORTH_PROCESSES else 1):
            advance(shard.size)


def measured(rows: Rows, measure: Measure, folder: Path, label: str, processes: int) -> Columns:
    """Return one measurement of all rows, made now where it is not kept."""
    job = FeatureJob(label, rows, (measure,), folder)
    measure_all([job], processes)
    shards = []
    for number in range(rows.shards):
        columns = _load(job.file(measure, number))
        if columns is None:
            job.file(measure, number).unlink(missing_ok=True)
            _measure(_Shard(job, number))
            columns = _load(job.file(measure, number)) or {}
        shards.append(columns)
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
