"""What the law has to beat: the nearest cell, a straight line between cells, and a Gaussian process without a form."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from study.law.evidence.points import DesignPoint, FloatArray, Measured, angle, inside

DECADE = np.log(10)


def _coordinates(places: Sequence[DesignPoint]) -> FloatArray:
    """(N, 3): general share, amount and size; a decade of amount or size is as far as from no to all general data."""
    return np.array(
        [(place.share, np.log(place.amount or 1.0) / DECADE, np.log(place.size or 1.0) / DECADE) for place in places]
    )


def _cells(measured: Measured) -> tuple[FloatArray, FloatArray]:
    """Coordinates (C, 3) and accuracies (C,) of the cells, each the mean of its runs."""
    cells = measured.cells
    return _coordinates([measured.point_of(cell) for cell in cells]), np.array([measured.score_of(c) for c in cells])


class AxisLine(NamedTuple):
    """Cells on one axis through a place, on which nothing else differs: ``at`` (L,) in ascending order with their
    accuracies, and the place's ``coordinate``.
    """

    at: FloatArray
    accuracies: FloatArray
    coordinate: float


def _line(measured: Measured, place: DesignPoint) -> AxisLine | None:
    """The first axis that has two cells or more: composition, then amount, then size (these logarithmic)."""
    cells, scores = _cells(measured)
    coordinate = _coordinates([place])[0]
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        same = np.isclose(cells[:, others], coordinate[others]).all(axis=1)
        at = np.unique(cells[same, axis])
        if len(at) > 1:
            values = [scores[same & (cells[:, axis] == value)].mean() for value in at]
            return AxisLine(at, np.array(values), float(coordinate[axis]))
    return None


def nearest(measured: Measured, place: DesignPoint) -> float:
    """The accuracy of the nearest cell of the line through a place (of equally near ones their mean), else of all
    cells.
    """
    line = _line(measured, place)
    if line is not None:
        apart = np.abs(line.at - line.coordinate)
        return float(line.accuracies[np.isclose(apart, apart.min())].mean())
    cells, scores = _cells(measured)
    apart = np.linalg.norm(cells - _coordinates([place]), axis=1)
    return float(scores[np.isclose(apart, apart.min())].mean())


def straight(measured: Measured, place: DesignPoint) -> float:
    """Between (outside: through) the two nearest cells of the line through a place; where there is none, the
    nearest.
    """
    line = _line(measured, place)
    if line is None:
        return nearest(measured, place)
    left = int(np.clip(np.searchsorted(line.at, line.coordinate) - 1, 0, len(line.at) - 2))
    slope = (line.accuracies[left + 1] - line.accuracies[left]) / (line.at[left + 1] - line.at[left])
    return float(np.clip(line.accuracies[left] + slope * (line.coordinate - line.at[left]), 0, 1))


@dataclass(frozen=True)
class Process:
    """A fitted Gaussian process on logit accuracies of single runs."""

    regressor: GaussianProcessRegressor
    features: FloatArray

    def run(self, places: Sequence[DesignPoint], probability: float) -> FloatArray:
        """(M,) accuracies in [0, 1] below which a new run is with a given probability."""
        mean, deviation = self.regressor.predict(_scaled(places)[:, self.features.astype(np.int64)], return_std=True)
        return np.asarray(special.expit(mean + stats.norm.ppf(probability) * deviation))


def _scaled(places: Sequence[DesignPoint]) -> FloatArray:
    coordinates = _coordinates(places)
    coordinates[:, 0] = angle(coordinates[:, 0])
    return coordinates


def process(measured: Measured, seed: int = 0) -> Process:
    """Fit a Gaussian process with a length per axis by maximum likelihood: Rasmussen and Williams 2006, chapter 5.

    It knows no form, no paired errors and no uncertainty of its own lengths: a check, and too sure of itself where
    cells are few.
    """
    inputs = _scaled([run.place for run in measured.runs])
    features = np.flatnonzero(np.ptp(inputs, axis=0) > 0)
    features = features if len(features) else np.array([0])
    kernel = ConstantKernel(0.3, (1e-3, 10)) * RBF(np.full(len(features), 0.5), (0.1, 5)) + WhiteKernel(0.01, (1e-5, 1))
    regressor = GaussianProcessRegressor(kernel, n_restarts_optimizer=2, normalize_y=True, random_state=seed)
    with warnings.catch_warnings():
        # Lengths at their bounds are what short curves give.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(inputs[:, features], special.logit(inside(measured.accuracies, measured.noise.items)))
    return Process(regressor, features.astype(np.float64))
