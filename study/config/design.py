"""Which points of a grid are run: all of them, one axis at a time, or a space-filling subset.

Pure functions of the axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from medctx.schemas.ratio import general_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Value: TypeAlias = str | int | float | None
Axes: TypeAlias = Mapping[str, Sequence[Value]]
Point: TypeAlias = dict[str, Value]

SCRAMBLES = 16
"""Sobol sequences tried for a space-filling subset."""


def grid(axes: Axes) -> list[Point]:
    """Every point; the last axis varies fastest."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def one_at_a_time(axes: Axes, center: Mapping[str, Value]) -> list[Point]:
    """The center, and every point that differs from it on one axis, in the order of the grid."""
    return [point for point in grid(axes) if sum(point[axis] != center[axis] for axis in axes) <= 1]


def _scale(axis: str, value: Value, rank: int) -> float:
    """A value on the scale of its axis: shares as they are, amounts by their logarithm, names by their rank."""
    if axis == "ratio" and isinstance(value, str):
        return general_share(value)
    if axis == "amount" and isinstance(value, int) and value > 0:
        return math.log(value)
    return float(value) if isinstance(value, float) else float(rank)


def coordinates(axes: Axes) -> NDArray[np.float64]:
    """The points of the grid in the unit cube, shape (points, axes); an axis of one value is 0.5."""
    import numpy as np

    columns = []
    for axis, values in axes.items():
        scaled = np.array([_scale(axis, value, rank) for rank, value in enumerate(values)])
        span = scaled.max() - scaled.min()
        columns.append((scaled - scaled.min()) / span if span else np.full(len(scaled), 0.5))
    return np.array(list(product(*columns)))


def _snapped(targets: NDArray[np.float64], places: NDArray[np.float64]) -> list[int]:
    """The index of the nearest place that is not taken yet, for every target."""
    import numpy as np

    free = np.ones(len(places), dtype=np.bool_)
    taken = []
    for point in targets:
        distances = np.where(free, ((places - point) ** 2).sum(axis=1), np.inf)
        taken.append(int(distances.argmin()))
        free[taken[-1]] = False
    return taken


def space_filling(axes: Axes, count: int) -> list[Point]:
    """``count`` points of the grid, in its order.

    Of ``SCRAMBLES`` scrambled Sobol sequences (Owen 1998, drawn by ``scipy.stats.qmc.Sobol``), each moved to
    the nearest points of the grid, the one is taken whose two nearest points are farthest apart. The same axes and
    count always give the same points.
    """
    from scipy.spatial.distance import pdist
    from scipy.stats import qmc

    points = grid(axes)
    if count >= len(points):
        return points
    places = coordinates(axes)
    exponent = max(1, math.ceil(math.log2(count)))
    best: tuple[float, list[int]] = (-1.0, [])
    for scramble in range(SCRAMBLES):
        sequence = qmc.Sobol(d=places.shape[1], scramble=True, rng=scramble).random_base2(exponent)[:count]
        chosen = _snapped(sequence, places)
        apart = float(pdist(places[chosen]).min()) if count > 1 else 0.0
        if apart > best[0]:
            best = (apart, chosen)
    return [points[number] for number in sorted(best[1])]
