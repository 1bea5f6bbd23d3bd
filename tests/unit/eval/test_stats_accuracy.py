"""Accuracy with a clustered interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from bench.support.stats_simulate import seeded_exam
from medctx_eval.stats import accuracies, accuracy, per_item, wilson

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
    rng = np.random.default_rng(3)
    right = np.repeat(rng.random(10) < 0.5, 4) ^ (rng.random(40) < 0.2)
    few = accuracy(right, [str(place // 4) for place in range(40)])
    assert few.few_clusters
    assert few.clusters == 10
    low, high = wilson(few.value, 40)
    assert few.high - few.low > high - low


def test_all_right_is_not_certainty_and_one_cluster_says_nothing() -> None:
    certain = accuracy(np.ones(80, dtype=bool), [str(place // 4) for place in range(80)])
    assert certain.high == 1
    assert certain.low < 0.9
    alone = accuracy(np.array([True, False, True]), ["a", "a", "a"])
    assert (alone.low, alone.high) == (0, 1)


def test_many_cells_at_once_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(7)
    correct = rng.random((5, 90)) < 0.6
    clusters = np.arange(90) // 3
    assert accuracies(correct, clusters) == [accuracy(row, clusters) for row in correct]


def test_seeds_are_averaged_and_widen_the_interval_of_trained_cells_alone() -> None:
    rng = np.random.default_rng(4)
    exam = seeded_exam(rng, 300, 0.0, accuracies=(0.5, 0.5, 0.5), seeds=3, seed_deviation=0.06)
    cells = [0, (1, 2, 3), (4, 5, 6)]
    base, tuned, _ = accuracies(exam.correct, exam.clusters, cells, untrained=[0])
    assert (base.seeds, tuned.seeds) == (1, 3)
    assert base.seed_error == 0
    assert tuned.seed_error is not None
    assert 0.01 < tuned.seed_error < 0.08
    assert tuned.value == pytest.approx(exam.correct[1:4].mean())
    mean_alone = accuracy(exam.correct[1:4].mean(axis=0), exam.clusters)
    assert tuned.high - tuned.low > 1.3 * (mean_alone.high - mean_alone.low)
    assert accuracies(exam.correct, exam.clusters)[1].seed_error is None


def test_orders_of_options_are_one_item_with_a_mean() -> None:
    values = np.array([[1, 0, 1, 1, 0, 0]], dtype=bool)
    result = per_item(values, ["b", "b", "a", "a", "a", "c"], ["y", "y", "x", "x", "x", "y"])
    assert result.values.tolist() == [[pytest.approx(2 / 3), 0.5, 0.0]]
    assert result.clusters.tolist() == ["x", "y", "y"]
    assert result.counts.tolist() == [3, 2, 1]
    score = accuracy(result.values[0], result.clusters)
    assert score.n == 3
    assert score.value == pytest.approx((2 / 3 + 1 / 2) / 3)
    with pytest.raises(ValueError, match="two clusters"):
        per_item(values, ["b", "b", "a", "a", "a", "c"], ["x", "y", "x", "x", "x", "y"])


def test_values_that_are_no_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="must lie in"):
        accuracy(np.array([0.0, 2.0]), ["a", "b"])
    with pytest.raises(ValueError, match="2 values for 3 cluster labels"):
        accuracy(np.array([0.0, 1.0]), ["a", "b", "c"])
