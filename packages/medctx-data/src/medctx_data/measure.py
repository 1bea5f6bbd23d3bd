"""What is measured once for every row of a source and kept: marks to find duplicates by, lengths in tokens.

Large sources are measured shard by shard in several processes. Files are kept in a folder named after the source's
content and what it was measured with, so that another ratio, seed or budget measures nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medctx.atomic import atomic_file
from medctx.progress import track
from medctx.records import Dialogue
from medctx_data.crew import work
from medctx_data.rows import Rows

Columns = dict[str, NDArray[np.generic]]

WORTH_PROCESSES = 8
"""Shards from which several processes gain more than it takes to start them."""


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
class _OneShard:
    """Measure one shard and keep what was found; nothing to do where it is kept already."""

    rows: Rows
    measure: Measure
    folder: Path

    def file(self, number: int) -> Path:
        return self.folder / f"{number:05d}.npz"

    def __call__(self, number: int) -> None:
        if not self.file(number).is_file():
            _save(self.measure(self.rows.shard(number)), self.file(number))


def measured(rows: Rows, measure: Measure, folder: Path, label: str, processes: int) -> Columns:
    """Measure all rows, or read what ``folder`` keeps of an earlier time; a kill loses the shards in work."""
    task = _OneShard(rows, measure, folder / measure.name)
    missing = [number for number in range(rows.shards) if not task.file(number).is_file()]
    if missing:
        with track(f"{measure.name.partition('-')[0]} of {label}", len(missing), "shards") as advance:
            for _ in work(task, missing, processes if len(missing) >= WORTH_PROCESSES else 1):
                advance(1)
    shards = [_load(task.file(number)) for number in range(rows.shards)]
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
