"""One scoring mode as the report reads it: the rows of each cell and the planned items of each part."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import Mode
from medctx.schemas.report import KNOWLEDGE, LEARNING, UNTAUGHT, Cell
from medctx.schemas.statistics import Accuracy, Difference
from medctx_eval.report.load import parts
from medctx_eval.report.load.collect import CellPair, RunSet
from medctx_eval.report.load.estimands import AxisWeights, Strata
from medctx_eval.report.load.verdict_matrix import MaskArray, VerdictMatrix
from medctx_eval.stats.accuracy import accuracies
from medctx_eval.stats.clusters import clusters_of, stratified
from medctx_eval.stats.contrast import difference_of_differences
from medctx_eval.stats.paired import Pair, differences

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ModeView:
    """A verdict matrix with the cells of a report.

    Attributes:
        matrix: Verdicts of all runs in this mode.
        rows: Rows of each cell that was judged in this mode, one per training seed, base first.
        untrained: Rows of models that have no training seed.
        axis_weights: Weights of the conditions of each axis.
    """

    matrix: VerdictMatrix
    rows: dict[str, tuple[int, ...]]
    untrained: frozenset[int]
    axis_weights: AxisWeights = field(default_factory=dict)

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
        """Parts in display order, each with its mask over the planned items (N,) that count in it."""
        masks = {part: mask & self.strata.counted(part) for part, mask in parts.masks(self.matrix).items()}
        return {part: mask for part, mask in masks.items() if mask.any()}

    @cached_property
    def strata(self) -> Strata:
        """Exam and condition of each planned item, and their weights."""
        return Strata(self.matrix, self.axis_weights)

    @cached_property
    def clusters(self) -> NDArray[np.int64]:
        """Cluster of each planned item, (N,)."""
        return self.matrix.cluster[self.matrix.starts].astype(np.int64)

    @property
    def has_learning(self) -> bool:
        """Whether taught and untaught items were asked, so that one can be held against the other."""
        return KNOWLEDGE in self.masks and UNTAUGHT in self.masks

    def shares(self, values: FloatArray, mask: MaskArray) -> dict[str, Accuracy]:
        """Weighted mean of ``values`` (R, N) in [0, 1] over the planned items of a mask, by cell."""
        codes = self.strata.codes[mask]
        results = accuracies(
            values[:, mask],
            self.clusters[mask],
            list(self.rows.values()),
            untrained=self.untrained,
            strata=codes,
            weights=self.strata.weights(codes),
        )
        return dict(zip(self.rows, results, strict=True))

    def means(self, values: FloatArray, mask: MaskArray) -> FloatArray:
        """The same means of every row of ``values`` (R, N) alone, (R,)."""
        codes = self.strata.codes[mask]
        estimand = stratified(clusters_of(self.clusters[mask]), codes, self.strata.weights(codes))
        return estimand.means(values[:, mask])

    def paired(
        self,
        values: FloatArray,
        mask: MaskArray,
        pairs: Sequence[Pair],
        untrained: Collection[int],
        *,
        draws: int,
        seed: int,
    ) -> list[Difference]:
        """Weighted differences of ``values`` (R, N) between the rows of each pair, on the planned items of a mask."""
        codes = self.strata.codes[mask]
        return differences(
            values[:, mask],
            self.clusters[mask],
            pairs,
            draws=draws,
            seed=seed,
            untrained=untrained,
            strata=codes,
            weights=self.strata.weights(codes),
        )

    def _fitting(self, part: str) -> MaskArray:
        return self.masks[part] & self.matrix.fits

    def differences(self, part: str, pairs: Sequence[CellPair], *, draws: int, seed: int) -> list[Difference]:
        """The first cell of each pair minus the second, on the planned items of a part that fitted.

        Empty if none fitted. On ``LEARNING`` the difference on taught items minus that on
        untaught ones.
        """
        sides = (KNOWLEDGE, UNTAUGHT) if part == LEARNING else (part,)
        if not all(self._fitting(side).any() for side in sides):
            return []
        rows = [(self.rows[first], self.rows[second]) for first, second in pairs]
        results = [
            self.paired(self.matrix.values, self._fitting(side), rows, self.untrained, draws=draws, seed=seed)
            for side in sides
        ]
        if part != LEARNING:
            return results[0]
        return [difference_of_differences(taught, untaught) for taught, untaught in zip(*results, strict=True)]

    def count(self, part: str) -> int:
        """Number of planned items of a part, whether they fitted or not."""
        sides = (KNOWLEDGE, UNTAUGHT) if part == LEARNING else (part,)
        return sum(int(self.masks[side].sum()) for side in sides)


def view_of(run_set: RunSet, mode: Mode, cells: Sequence[Cell], weights: AxisWeights | None = None) -> ModeView:
    """The view of a mode, without the cells that were not judged in it; ``weights`` of the conditions by axis."""
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
    judged_rows = {name: cell_rows for name, cell_rows in rows.items() if cell_rows}
    return ModeView(matrix, judged_rows, frozenset(untrained), weights or {})
