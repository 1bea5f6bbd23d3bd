"""Skewness and kurtosis of a cluster's difference, where few items tell two models apart."""

from __future__ import annotations

from math import comb, floor, prod

_PARTITIONS = ((1,), (0, 1), (0, 1, 1), (0, 1, 3, 1), (0, 1, 7, 6, 1))
"""Stirling numbers of the second kind: how powers up to the fourth are made of falling factorials."""


def _mixed(items: int, first: float, second: float, icc: float, powers: tuple[int, int]) -> float:
    """The factorial moment of the counts of items that only the first or only the second model got right.

    Of ``items`` items with chances ``first`` and ``second`` under a Dirichlet distribution of total concentration
    (1 - icc) / icc; Mosimann (1962), Biometrika 49:65-82.
    """
    one, other = powers
    ways = prod(items - place for place in range(one + other))
    if icc == 0:
        return float(ways * first**one * second**other)
    total = (1 - icc) / icc
    rising = prod(first * total + place for place in range(one)) * prod(
        second * total + place for place in range(other)
    )
    return float(ways * rising / prod(total + place for place in range(one + other)))


def _raw(items: int, first: float, second: float, icc: float) -> list[float]:
    """Moments about 0, up to the fourth, of the one count minus the other."""

    def product(one: int, other: int) -> float:
        return sum(
            _PARTITIONS[one][a] * _PARTITIONS[other][b] * _mixed(items, first, second, icc, (a, b))
            for a in range(one + 1)
            for b in range(other + 1)
        )

    return [sum(comb(k, a) * (-1) ** (k - a) * product(a, k - a) for a in range(k + 1)) for k in range(5)]


def skewness_and_kurtosis(items: float, delta: float, discordance: float, icc: float) -> tuple[float, float]:
    """Of the difference of two models in a cluster of ``items`` items (at least 1; between whole numbers the moments
    are interpolated): 0 and 3 for a normal one.

    ``delta`` is the true difference, ``discordance`` (above 0) the share of items exactly one model gets right, and
    ``icc`` the correlation of two items of a cluster.
    """
    chances = (discordance + delta) / 2, max((discordance - delta) / 2, 0.0)
    # Clusters that decide all their items alike, or hardly at all, have no concentration that can be computed with.
    icc = 0.0 if icc < 1e-6 else min(icc, 0.99)
    low = floor(items)
    share = items - low
    ends = _raw(low, *chances, icc), _raw(low + 1, *chances, icc)
    mean, second, third, fourth = (
        (1 - share) * one + share * other for one, other in zip(ends[0][1:], ends[1][1:], strict=True)
    )
    variance = second - mean**2
    skewness = (third - 3 * mean * second + 2 * mean**3) / variance**1.5
    return skewness, (fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4) / variance**2
