"""How often the gate promotes a cell that reads worse by the margin, and a cell that reads as well as its base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.support.stats_simulate import seeded_exam
from medctx.schemas.records import Record
from medctx_eval.stats.margin import keeping_power, p_above
from medctx_eval.stats.paired import differences, holm

MARGIN, ERROR_RATE = 0.05, 0.05
BASE = 0.65
ITEMS_PER_CLUSTER = 4
"""Mean number of items of a cluster in ``seeded_exam``."""


class GateRow(Record):
    """One setting: ``cells`` that all differ from their base by ``difference`` in reading.

    Attributes:
        clusters: Number of clusters of the exam.
        icc: Correlation within clusters.
        seeds: Training seeds per cell.
        seed_deviation: Standard deviation of accuracy between seeds.
        cells: Number of cells, all of which gain knowledge beyond doubt.
        difference: True difference of each to base.
        studies: Number of simulated studies.
        any_promoted: Share of studies in which the gate passes at least one cell.
        any_alone: The same if each cell were tested alone.
        promoted: Share of cells that pass.
        predicted: Mean of the power that the report states for a cell equal to its base.
    """

    clusters: int
    icc: float
    seeds: int
    seed_deviation: float
    cells: int
    difference: float
    studies: int
    any_promoted: float
    any_alone: float
    promoted: float
    predicted: float


@dataclass(frozen=True)
class GateSetting:
    """One row that can be simulated; see ``GateRow``."""

    clusters: int
    icc: float = 0.1
    seeds: int = 1
    seed_deviation: float = 0.0
    cells: int = 9
    difference: float = -MARGIN

    def measure(self, studies: int, draws: int = 100) -> GateRow:
        """Simulate ``studies`` studies, each with ``draws`` of the bootstrap."""
        rng = np.random.default_rng([self.clusters, round(100 * self.icc), self.seeds, self.cells])
        cells = [tuple(range(1 + cell * self.seeds, 1 + (cell + 1) * self.seeds)) for cell in range(self.cells)]
        truths = (BASE, *self.cells * (BASE + self.difference,))
        together, alone, shares, powers = 0, 0, [], []
        for _ in range(studies):
            exam = seeded_exam(
                rng,
                self.clusters,
                self.icc,
                accuracies=truths,
                seeds=self.seeds,
                seed_deviation=(0.0, *self.cells * (self.seed_deviation,)),
            )
            pairs = [(cell if self.seeds > 1 else cell[0], 0) for cell in cells]
            results = differences(exam.correct, exam.clusters, pairs, untrained=[0], draws=draws)
            kept = np.array([result.not_worse(MARGIN) for result in results])
            adjusted = np.array(holm([p_above(result, -MARGIN) for result in results]))
            promoted = kept & (adjusted <= ERROR_RATE)
            together += bool(promoted.any())
            alone += bool(kept.any())
            shares.append(promoted.mean())
            powers += [keeping_power(result, MARGIN, ERROR_RATE / self.cells) for result in results]
        return GateRow(
            clusters=self.clusters,
            icc=self.icc,
            seeds=self.seeds,
            seed_deviation=self.seed_deviation,
            cells=self.cells,
            difference=self.difference,
            studies=studies,
            any_promoted=together / studies,
            any_alone=alone / studies,
            promoted=float(np.mean(shares)),
            predicted=float(np.mean(powers)),
        )


def settings() -> list[GateSetting]:
    """Nine cells at the margin in small, ordinary and large exams; then cells that read as well as their base."""
    worst = [GateSetting(clusters, icc) for clusters in (20, 60, 200) for icc in (0.0, 0.3)]
    seeded = [GateSetting(clusters, seeds=2, seed_deviation=0.02) for clusters in (24, 60, 200)]
    equal = [GateSetting(clusters, cells=cells, difference=0.0) for clusters in (200, 600) for cells in (3, 9)]
    return [*worst, *seeded, *equal]
