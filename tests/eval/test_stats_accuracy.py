"""Accuracy with a clustered interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from medctx_eval.stats import accuracy, wilson
from medctx_eval.stats.simulate import paired_exam

outcomes = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=60)


def test_wilson_is_the_interval_of_statsmodels() -> None:
    for right, total in ((0, 10), (3, 10), (10, 10), (41, 120)):
        expected = proportion_confint(right, total, method="wilson")
        assert wilson(right / total, total) == pytest.approx(expected)


@given(outcomes, st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_of_items_and_names_of_clusters_do_not_matter(rows: list[tuple[bool, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = accuracy(np.array([right for right, _ in rows]), [f"c{cluster}" for _, cluster in rows])
    second = accuracy(np.array([right for right, _ in shuffled]), [f"x{9 - cluster}" for _, cluster in shuffled])
    assert first.value == second.value
    assert (first.low, first.high) == pytest.approx((second.low, second.high))
    assert first.low <= first.value <= first.high


def test_clusters_that_share_their_fate_widen_the_interval() -> None:
    right = np.repeat([True, False], 60)
    alone = accuracy(right, [str(place) for place in range(120)])
    together = accuracy(right, [str(place // 6) for place in range(120)])
    assert together.high - together.low > 1.9 * (alone.high - alone.low)


def test_few_clusters_are_corrected_and_flagged() -> None:
    right = np.tile([True, False], 20)
    few = accuracy(right, [str(place // 4) for place in range(40)])
    assert few.few_clusters
    assert few.clusters == 10
    low, high = wilson(0.5, 40)
    assert few.high - few.low > high - low


def test_all_right_is_not_certainty_and_one_cluster_says_nothing() -> None:
    certain = accuracy(np.ones(80, dtype=bool), [str(place // 4) for place in range(80)])
    assert certain.high == 1
    assert certain.low < 0.9
    alone = accuracy(np.array([True, False, True]), ["a", "a", "a"])
    assert (alone.low, alone.high) == (0, 1)


def test_the_interval_covers_the_truth() -> None:
    """300 exams of 60 clusters, ICC 0.2: within 3.5 binomial standard errors of 95 %, so it fails by chance in
    one of two thousand seeds.
    """
    rng = np.random.default_rng(11)
    exams = 300
    covered = 0
    for _ in range(exams):
        exam = paired_exam(rng, 60, 0.2, accuracy=0.4, gain=0.1, churn=0.3)
        found = accuracy(exam.first, exam.clusters)
        covered += found.low <= 0.5 <= found.high
    assert abs(covered / exams - 0.95) < 3.5 * (0.95 * 0.05 / exams) ** 0.5
