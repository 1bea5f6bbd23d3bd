"""Arithmetic of the benchmarks, by hand and by property."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.harness.numbers import exponent, paired_ratio, spread


def test_a_spread_is_the_median_with_least_and_largest() -> None:
    assert spread([5.0, 1.0, 9.0]) == (5.0, 1.0, 9.0, 3)
    assert spread([4.0, 2.0]).median == 3.0


def test_ratios_are_those_of_the_same_repetition() -> None:
    # The second repetition ran while the machine was busy: both took four times as long, and the ratio stays.
    assert paired_ratio({0: 10.0, 1: 40.0, 2: 12.0}, {0: 5.0, 1: 20.0}) == (2.0, 2.0, 2.0, 2)


def test_without_a_shared_repetition_there_is_no_ratio() -> None:
    assert paired_ratio({0: 10.0}, {1: 5.0}) is None


@given(st.floats(-1, 3), st.floats(0.1, 1000), st.lists(st.integers(1, 10_000), min_size=3, max_size=8, unique=True))
def test_the_exponent_of_a_power_law_is_found(power: float, factor: float, sizes: list[int]) -> None:
    fitted = exponent(sizes, [factor * size**power for size in sizes])
    assert fitted.exponent == pytest.approx(power, abs=1e-6)
    assert fitted.factor == pytest.approx(factor, rel=1e-4)
    assert fitted.low - 1e-6 <= power <= fitted.high + 1e-6


def test_the_interval_is_that_of_a_straight_line_through_logarithms() -> None:
    # ln cost = 0, 1, 1 at ln size = 0, 1, 2: slope 1/2, residuals -1/6, 1/3, -1/6, one degree of freedom, t = 12.706.
    fitted = exponent([1, math.e, math.e**2], [1, math.e, math.e])
    half = 12.7062047 * math.sqrt((1 / 36 + 1 / 9 + 1 / 36) / 1 / 2)
    assert fitted.exponent == pytest.approx(0.5)
    assert (fitted.low, fitted.high) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))


def test_two_points_have_no_interval_and_one_size_no_exponent() -> None:
    assert (exponent([1, 2], [3, 6]).low, exponent([1, 2], [3, 6]).high) == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="two sizes"):
        exponent([5, 5], [1, 2])
