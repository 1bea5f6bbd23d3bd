"""Medians, ratios and exponents of measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy import special


class Spread(NamedTuple):
    """Median of ``n`` values with the least and the largest of them."""

    median: float
    least: float
    most: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Median, least and largest of at least one value."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def paired_ratio(first: Mapping[int, float], second: Mapping[int, float]) -> Spread | None:
    """Ratios ``first / second`` of the repetitions that both have; None if they share none.

    Pairs of one repetition ran one after the other, so what else the machine did fell on both of them.
    """
    ratios = [first[repeat] / second[repeat] for repeat in sorted(first.keys() & second.keys()) if second[repeat]]
    return spread(ratios) if ratios else None


class Exponent(NamedTuple):
    """``cost = factor * size ** exponent``, with the 95 % interval of the exponent; ``n`` points.

    The interval is that of a straight line through the logarithms (least squares, Student's t); of two points there is
    none, and it is infinite.
    """

    exponent: float
    low: float
    high: float
    factor: float
    n: int


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> Exponent:
    """Fit a power law to positive sizes and costs.

    Raises:
        ValueError: With fewer than two different sizes.
    """
    if len(set(sizes)) < 2:
        raise ValueError("An exponent needs costs at two sizes or more.")
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    spread_x = sum((value - mean_x) ** 2 for value in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread_x
    constant = mean_y - slope * mean_x
    free = len(x) - 2
    if free < 1:
        return Exponent(slope, -math.inf, math.inf, math.exp(constant), len(x))
    residual = sum((b - constant - slope * a) ** 2 for a, b in zip(x, y, strict=True))
    half = float(special.stdtrit(free, 0.975)) * math.sqrt(residual / free / spread_x)
    return Exponent(slope, slope - half, slope + half, math.exp(constant), len(x))
