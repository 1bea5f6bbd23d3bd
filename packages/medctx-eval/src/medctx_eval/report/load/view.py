"""One scoring mode as the report reads it: the rows of each cell and the planned items of each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import Mode
from medctx.schemas.report import Cell
from medctx.schemas.statistics import Accuracy, Difference
from medctx_eval.report.load import parts
from medctx_eval.report.load.collect import CellPair, RunSet
from medctx_eval.report.load.verdict_matrix import MaskArray, VerdictMatrix
from medctx_eval.stats.accuracy import accuracies
from medctx_eval.stats.paired import differences

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ModeView:
    """A verdict matrix with the cells of a report.

    Attributes:
        matrix: Verdicts of all runs in this mode.
        rows: Rows of each cell that was judged in this mode, one per training seed, base first.
        untrained: Rows of models that have no training seed.
    """

    matrix: VerdictMatrix
    rows: dict[str, tuple[int, ...]]
    untrained: frozenset[int]

    @property
    def mode(self) -> Mode:
        """The scoring mode."""
        return self.matrix.mode

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells in display order."""
        return tuple(self.rows)

    @cached_property
    def masks(self) -> dict[str, MaskArray]:
        """Parts in display order, each with its mask over planned items (N,)."""
        return parts.masks(self.matrix)

    @cached_property
    def clusters(self) -> NDArray[np.int64]:
        """Cluster of each planned item, (N,)."""
        return self.matrix.cluster[self.matrix.starts].astype(np.int64)

    def shares(self, values: FloatArray, mask: MaskArray) -> dict[str, Accuracy]:
        """Mean of ``values`` (R, N) in [0, 1] over the planned items of a mask, by cell."""
        results = accuracies(values[:, mask], self.clusters[mask], list(self.rows.values()), untrained=self.untrained)
        return dict(zip(self.rows, results, strict=True))

    def differences(self, mask: MaskArray, pairs: Sequence[CellPair], *, draws: int, seed: int) -> list[Difference]:
        """The first cell of each pair minus the second, on the planned items of a mask."""
        return differences(
            self.matrix.values[:, mask],
            self.clusters[mask],
            [(self.rows[first], self.rows[second]) for first, second in pairs],
            draws=draws,
            seed=seed,
            untrained=self.untrained,
        )


def view_of(run_set: RunSet, mode: Mode, cells: Sequence[Cell]) -> ModeView:
    """The view of a mode, without the cells that were not judged in it."""
    matrix = run_set.modes[mode]
    places = {run.name: place for place, run in enumerate(run_set.runs)}
    judged = set(matrix.rows)
    rows = {
        cell.name: tuple(matrix.rows[places[run.name]] for run in cell.runs if places[run.name] in judged)
        for cell in cells
    }
    untrained = {
        matrix.rows[place]
        for place, run in enumerate(run_set.runs)
        if place in judged and run.manifest.training_seed is None and not run.manifest.adapter_digest
    }
    return ModeView(matrix, {name: cell_rows for name, cell_rows in rows.items() if cell_rows}, frozenset(untrained))
