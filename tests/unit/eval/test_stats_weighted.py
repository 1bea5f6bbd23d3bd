"""Weighted estimands: tables small enough to compute by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from medctx_eval.stats import accuracies, difference, differences
from medctx_eval.stats.clusters import clusters_of, stratified
from medctx_eval.stats.contrast import difference_of_differences
from medctx_eval.stats.margin import p_above

STRATA = ["short"] * 4 + ["long"] * 2
RIGHT = np.array([[1, 1, 1, 0, 0, 1], [0, 1, 0, 0, 0, 0]], dtype=np.float64)
"""Two runs: 3 of 4 and 1 of 2 right, and 1 of 4 and 0 of 2."""


def test_conditions_weigh_alike_however_many_items_they_have() -> None:
    first, second = accuracies(RIGHT, np.arange(6), strata=STRATA)
    assert (first.value, second.value) == (pytest.approx((3 / 4 + 1 / 2) / 2), pytest.approx((1 / 4 + 0) / 2))
    (plain,) = accuracies(RIGHT[:1], np.arange(6))
    assert plain.value == pytest.approx(4 / 6)
    assert first.low <= first.value <= first.high


def test_weights_are_scaled_and_a_difference_is_that_of_the_weighted_accuracies() -> None:
    weights = {"short": 1.0, "long": 3.0}
    first, second = accuracies(RIGHT, np.arange(6), strata=STRATA, weights=weights)
    assert first.value == pytest.approx(0.25 * 3 / 4 + 0.75 * 1 / 2)
    (result,) = differences(RIGHT, np.arange(6), [(0, 1)], strata=STRATA, weights=weights, draws=100)
    assert result.value == pytest.approx(first.value - second.value)
    assert (result.n, result.only_first, result.only_second) == (6, 3, 0)


def test_error_of_independent_strata_adds_their_variances() -> None:
    """Of single items, CR2 is the textbook variance: the sum of weight^2 s^2 / n."""
    values = RIGHT[0] - RIGHT[1]
    estimand = stratified(clusters_of(np.arange(6)), STRATA)
    expected = 0.25 * values[:4].var(ddof=1) / 4 + 0.25 * values[4:].var(ddof=1) / 2
    assert estimand.errors(values[None])[0] == pytest.approx(expected**0.5)
    assert estimand.effective_items == pytest.approx(1 / (0.25 / 4 + 0.25 / 2))


def test_a_cluster_asked_under_two_conditions_is_one_cluster() -> None:
    rng = np.random.default_rng(1)
    shared = rng.random(40)
    values = (rng.random((2, 40)) < shared).astype(np.float64).ravel()
    strata = ["a"] * 40 + ["b"] * 40
    together = stratified(clusters_of(np.tile(np.arange(40), 2)), strata).errors(values[None])[0]
    apart = stratified(clusters_of(np.arange(80)), strata).errors(values[None])[0]
    assert together > 1.1 * apart


def test_strata_of_one_size_with_equal_weights_are_a_plain_mean() -> None:
    rng = np.random.default_rng(2)
    correct, clusters = rng.random((2, 60)) < 0.5, np.arange(60) // 3
    (plain,) = differences(correct, clusters, [(0, 1)], draws=300)
    (weighted,) = differences(correct, clusters, [(0, 1)], draws=300, strata=np.arange(60) % 2)
    assert weighted.p_permutation == plain.p_permutation
    assert weighted.value == pytest.approx(plain.value)
    assert (weighted.low, weighted.high) == pytest.approx((plain.low, plain.high), abs=0.03)


@pytest.mark.parametrize("sizes", [[5] * 12, [1] * 8])
def test_degrees_of_freedom_of_equal_clusters_are_their_number_less_one(sizes: list[int]) -> None:
    estimand = stratified(clusters_of(np.repeat(np.arange(len(sizes)), sizes)))
    for icc in (0.0, 0.4, 1.0):
        assert estimand.df(icc) == pytest.approx(len(sizes) - 1)


def test_unequal_clusters_have_fewer_degrees_of_freedom() -> None:
    estimand = stratified(clusters_of(np.repeat(np.arange(8), [40, 1, 1, 1, 1, 1, 1, 1])))
    assert estimand.df(0.5) < 3


@pytest.mark.parametrize("conditions", [1, 3])
@pytest.mark.parametrize("icc", [0.0, 0.3])
def test_degrees_of_freedom_of_unequal_clusters_are_those_of_simulated_variances(conditions: int, icc: float) -> None:
    """A variance with df degrees of freedom has the variance 2 mean^2 / df."""
    labels = np.repeat(np.arange(10), [40, 20, 10, 5, 5, 3, 2, 2, 1, 1])
    estimand = stratified(clusters_of(labels), np.arange(len(labels)) % conditions)
    assert estimand._products.first_trace == pytest.approx(1 / estimand.effective_items)
    rng, exams = np.random.default_rng(5), 20_000
    shared = rng.normal(size=(exams, 10))[:, labels]
    values = np.sqrt(icc) * shared + np.sqrt(1 - icc) * rng.normal(size=(exams, len(labels)))
    variances = np.square(estimand.errors(values))
    assert estimand.df(icc) == pytest.approx(2 * variances.mean() ** 2 / variances.var(), rel=0.06)


def test_a_stratum_in_one_cluster_leaves_no_interval() -> None:
    rng = np.random.default_rng(6)
    correct = rng.random((2, 60)) < 0.5
    clusters = np.where(np.arange(60) < 40, np.arange(60) // 2, 7)
    strata = ["common"] * 40 + ["rare"] * 20
    estimand = stratified(clusters_of(clusters), strata)
    assert not estimand.estimable
    assert np.isinf(estimand.errors(correct)).all()
    assert estimand.df(0.1) == 0
    (row,) = accuracies(correct[:1], clusters, strata=strata)
    assert (row.low, row.high) == (0, 1)
    (result,) = differences(correct, clusters, [(0, 1)], draws=100, strata=strata)
    assert (result.low, result.high, result.p, result.df, result.detectable) == (-1, 1, 1, 0, 1)
    assert p_above(result, -0.99) == 1
    (other,) = differences(correct, np.arange(60) // 2, [(0, 1)], draws=100)
    for pair in ((result, other), (other, result)):
        contrast = difference_of_differences(*pair)
        assert (contrast.low, contrast.high, contrast.p, contrast.df) == (-2, 2, 1, 0)


def test_a_stratum_that_a_resample_leaves_empty_does_not_spoil_the_interval() -> None:
    rng = np.random.default_rng(3)
    correct = rng.random((2, 42)) < 0.5
    strata = ["rare"] * 2 + ["common"] * 40
    (result,) = differences(correct, np.arange(42), [(0, 1)], draws=500, strata=strata)
    assert np.isfinite([result.low, result.high, *result.bootstrap]).all()


def test_strata_without_weight_are_refused() -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        accuracies(RIGHT, np.arange(6), strata=STRATA, weights={"short": 1.0, "long": 0.0})


def _pair(seed: int, gain: float, items: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    second = rng.random(items) < 0.4
    return second | (rng.random(items) < gain), second


def test_taught_minus_untaught_by_hand() -> None:
    taught, untaught = (difference(*_pair(seed, gain), np.arange(60)) for seed, gain in ((1, 0.5), (2, 0.1)))
    result = difference_of_differences(taught, untaught)
    assert result.value == pytest.approx(taught.value - untaught.value)
    below = ((taught.value - taught.low) ** 2 + (untaught.high - untaught.value) ** 2) ** 0.5
    above = ((taught.high - taught.value) ** 2 + (untaught.value - untaught.low) ** 2) ** 0.5
    assert (result.low, result.high) == pytest.approx((result.value - below, result.value + above))
    assert (result.n, result.clusters) == (120, 120)
    assert result.error == pytest.approx((taught.error**2 + untaught.error**2) ** 0.5)
    assert (result.p_mcnemar, result.p_permutation) == (None, None)
    assert result.p == pytest.approx(2 * stats.t.sf(result.value / below * stats.t.ppf(0.975, result.df), result.df))


@given(st.integers(0, 10_000), st.floats(0, 0.6), st.floats(0, 0.3))
@settings(max_examples=60, deadline=None)
def test_its_p_tells_what_the_interval_tells(seed: int, gain: float, other: float) -> None:
    taught, untaught = (difference(*_pair(seed + place, value, 24), np.arange(24) // 2) for place, value in
                        enumerate((gain, other)))  # fmt: skip
    result = difference_of_differences(taught, untaught)
    assert result.low <= result.value <= result.high
    assert (result.low > 0 or result.high < 0) == (result.p <= 0.05)
    turned = difference_of_differences(untaught, taught)
    assert (turned.low, turned.high) == pytest.approx((-result.high, -result.low))
    assert turned.p == pytest.approx(result.p)
