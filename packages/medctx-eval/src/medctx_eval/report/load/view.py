"""One mode as the report reads it: whose rows belong to which cell, and which seats to which part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import Mode
from medctx.schemas.report import Accuracy, Cell, Difference
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load import parts
from medctx_eval.report.load.collect import Collected
from medctx_eval.report.load.verdict_matrix import Aligned
from medctx_eval.stats import accuracies, differences
from medctx_eval.stats.clusters import BoolArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sheet:
    """``rows`` holds the rows of each cell that was judged in this mode, one per training seed, base first;
    ``untrained`` the rows of models that no seed of ours made.
    """

    aligned: Aligned
    rows: dict[str, tuple[int, ...]]
    untrained: frozenset[int]

    @property
    def mode(self) -> Mode:
        """The mode."""
        return self.aligned.mode

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells in the order they are shown."""
        return tuple(self.rows)

    @cached_property
    def masks(self) -> dict[str, BoolArray]:
        """Parts in the order they are shown, each with its mask over seats (N,)."""
        return parts.masks(self.aligned)

    @cached_property
    def clusters(self) -> NDArray[np.int64]:
        """(N,)."""
        return self.aligned.cluster[self.aligned.starts].astype(np.int64)

    def shares(self, values: Floats, mask: BoolArray) -> dict[str, Accuracy]:
        """Mean of ``values`` (R, N) in [0, 1] over the seats of a mask, by cell."""
        found = accuracies(values[:, mask], self.clusters[mask], list(self.rows.values()), untrained=self.untrained)
        return dict(zip(self.rows, found, strict=True))

    def differences(self, mask: BoolArray, pairs: Sequence[tuple[str, str]], config: ReportConfig) -> list[Difference]:
        """The first cell of every pair minus the second, on the seats of a mask."""
        return differences(
            self.aligned.values[:, mask],
            self.clusters[mask],
            [(self.rows[first], self.rows[second]) for first, second in pairs],
            draws=config.draws,
            seed=config.seed,
            untrained=self.untrained,
        )


def sheet(collected: Collected, mode: Mode, cells: Sequence[Cell]) -> Sheet:
    """The sheet of a mode; cells that were not judged in it are not on it."""
    aligned = collected.modes[mode]
    places = {run.name: place for place, run in enumerate(collected.runs)}
    judged = set(aligned.rows)
    rows = {
        cell.name: tuple(aligned.rows[places[run.name]] for run in cell.runs if places[run.name] in judged)
        for cell in cells
    }
    untrained = {
        aligned.rows[place]
        for place, run in enumerate(collected.runs)
        if place in judged and run.manifest.training_seed is None and not run.manifest.adapter_digest
    }
    return Sheet(aligned, {name: own for name, own in rows.items() if own}, frozenset(untrained))
