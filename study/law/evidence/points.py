"""What a law is fitted to: the measured runs of one part of an exam, and how their errors hang together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medctx.schemas.records import Record

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

EDGE = 0.02
NEAR = 0.3
"""One length of likeness between compositions, on the scale of ``angle``."""


@dataclass(frozen=True, slots=True)
class DesignPoint:
    """Where a cell stands: general ``share`` in [0, 1], ``amount`` in trained tokens (or whatever the study counts),
    ``size`` in parameters; nothing where it is not known.
    """

    share: float
    amount: float | None = None
    size: float | None = None


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One trained and examined model: ``accuracy`` in [0, 1]; ``cell`` is shared by repetitions of one place."""

    cell: str
    place: DesignPoint
    accuracy: float
    seed: int = 0


class ItemNoise(Record):
    """What chance in the choice of items does to accuracies measured on the same ones.

    ``items`` of every run (0: not known, their variance is not counted). The variance of one accuracy p is
    ``inflation`` x p (1 - p) / items; errors of two runs correlate by ``far`` where their compositions have nothing in
    common, up to ``near`` where they are the same, and by ``base`` with the untouched model. ``origin`` says in words
    where this comes from.
    """

    items: int = Field(0, ge=0)
    inflation: float = Field(1.0, ge=0)
    near: float = Field(0.0, ge=0, le=1)
    far: float = Field(0.0, ge=0, le=1)
    base: float = Field(0.0, ge=0, le=1)
    origin: str = "not known, and ignored"

    def deviations(self, accuracies: FloatArray) -> FloatArray:
        """Standard errors on the logit scale (delta method) of ``accuracies`` in (0, 1), any shape."""
        if not self.items:
            return np.zeros_like(accuracies)
        return np.asarray(np.sqrt(self.inflation / (self.items * accuracies * (1 - accuracies))))

    def correlations(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Correlations (A, B) of different runs with general shares ``first`` (A,) and ``second`` (B,)."""
        return self.far + (self.near - self.far) * alike(first, second)

    @property
    def with_base(self) -> float:
        """The correlation with the base that keeps every covariance matrix positive definite."""
        return min(self.base, float(np.sqrt(self.far)))


def angle(shares: FloatArray) -> FloatArray:
    """The arcsine of the square root of shares in [0, 1] (Fisher's transform of proportions), scaled to [0, 1].

    On it the usual ratios (0:1, 1:9, 1:4, 1:1, ...) stand about evenly: the first tenth of another kind of data
    changes a model more than the fifth does. Shares are drawn in by ``EDGE``, as the first hundredth does not
    change everything.
    """
    ends = np.arcsin(np.sqrt(np.array([EDGE, 1 - EDGE])))
    turned = np.arcsin(np.sqrt(EDGE + (1 - 2 * EDGE) * shares))
    return np.asarray((turned - ends[0]) / (ends[1] - ends[0]))


def alike(first: FloatArray, second: FloatArray) -> FloatArray:
    """How much two shares have in common, (A, B) in (0, 1]: a Gaussian of length ``NEAR`` in their angle."""
    return np.asarray(np.exp(-0.5 * np.square((angle(first)[:, None] - angle(second)[None, :]) / NEAR)))


@dataclass(frozen=True)
class Measured:
    """The runs of one part (``knowledge``, ``reading``) and, where it was examined, the untouched model."""

    part: str
    runs: tuple[MeasuredRun, ...]
    base: float | None = None
    noise: ItemNoise = field(default_factory=ItemNoise)

    @cached_property
    def shares(self) -> FloatArray:
        """(R,) general shares in [0, 1]."""
        return np.array([run.place.share for run in self.runs])

    @cached_property
    def amounts(self) -> FloatArray:
        """(R,) amounts; 1 where they are not known."""
        return np.array([run.place.amount or 1.0 for run in self.runs])

    @cached_property
    def sizes(self) -> FloatArray:
        """(R,) sizes; 1 where they are not known."""
        return np.array([run.place.size or 1.0 for run in self.runs])

    @cached_property
    def accuracies(self) -> FloatArray:
        """(R,) in [0, 1]."""
        return np.array([run.accuracy for run in self.runs])

    @cached_property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells, once each, in order."""
        return tuple(dict.fromkeys(run.cell for run in self.runs))

    def point_of(self, cell: str) -> DesignPoint:
        """Where a cell stands."""
        return next(run.place for run in self.runs if run.cell == cell)

    def score_of(self, cell: str) -> float:
        """A cell's accuracy, the mean over its runs."""
        return float(np.mean([run.accuracy for run in self.runs if run.cell == cell]))

    def only(self, kept: Callable[[MeasuredRun], bool]) -> Measured:
        """Those runs that are ``kept``."""
        return replace(self, runs=tuple(run for run in self.runs if kept(run)))


def inside(accuracies: FloatArray | Sequence[float] | float, items: int) -> FloatArray:
    """Accuracies that have a logit: half an item away from none and from all (Haldane 1956; Anscombe 1956)."""
    half = 0.5 / (items + 1) if items else 1e-4
    return np.asarray(np.clip(np.asarray(accuracies, dtype=np.float64), half, 1 - half))
