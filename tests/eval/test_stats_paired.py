"""Paired differences: exact tests against tables, intervals against simulated truth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx_eval.stats import cluster_sums, difference, mcnemar, swap_test
from medctx_eval.stats.simulate import paired_exam

answers = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 8)), min_size=2, max_size=50)


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    # Two-sided binomial tails at one half, by hand: 2 * sum of C(n, k) / 2^n.
    [(0, 0, 1.0), (5, 0, 2 / 32), (1, 5, 14 / 64), (8, 1, 20 / 512), (3, 3, 1.0), (0, 10, 2 / 1024)],
)
def test_mcnemar_is_exact(only_first: int, only_second: int, expected: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(expected)


@given(st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_swapping_items_alone_is_mcnemar(only_first: int, only_second: int) -> None:
    totals = np.array([1] * only_first + [-1] * only_second + [0] * 5, dtype=np.int64)
    assert swap_test(totals) == pytest.approx(mcnemar(only_first, only_second))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
@settings(max_examples=40, deadline=None)
def test_swap_test_counts_every_swap(totals: list[int]) -> None:
    observed = abs(sum(totals))
    sums = [abs(sum(sign * one for sign, one in zip(signs, totals, strict=True)))
            for signs in product((1, -1), repeat=len(totals))]  # fmt: skip
    expected = np.mean([one >= observed for one in sums])
    assert swap_test(np.array(totals, dtype=np.int64)) == pytest.approx(expected)


@given(answers, st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_of_items_does_not_matter(rows: list[tuple[bool, bool, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = [
        difference(
            np.array([first for first, _, _ in order]),
            np.array([second for _, second, _ in order]),
            [str(cluster) for _, _, cluster in order],
            draws=200,
            seed=3,
        )
        for order in (rows, shuffled)
    ]
    assert found[0] == found[1]
    assert found[0].low <= found[0].value <= found[0].high


@given(answers)
@settings(max_examples=40, deadline=None)
def test_exchanging_the_models_turns_the_sign(rows: list[tuple[bool, bool, int]]) -> None:
    first, second = np.array([a for a, _, _ in rows]), np.array([b for _, b, _ in rows])
    clusters = [str(cluster) for _, _, cluster in rows]
    one, other = difference(first, second, clusters, draws=100), difference(second, first, clusters, draws=100)
    assert one.value == -other.value
    assert one.only_first == other.only_second
    assert one.p_swap == pytest.approx(other.p_swap)
    assert one.value == pytest.approx(first.mean() - second.mean())


def test_models_that_never_differ_tie_but_not_beyond_doubt() -> None:
    right = np.array([True, False] * 10)
    found = difference(right, right, [str(place) for place in range(20)])
    assert found.word == "ties with"
    assert found.low < -0.1
    assert not found.not_worse(0.05)


def test_words_and_margin_read_the_shown_interval() -> None:
    rng = np.random.default_rng(5)
    exam = paired_exam(rng, 300, 0.1, accuracy=0.4, gain=0.15, churn=0.3)
    gain = difference(exam.first, exam.second, exam.clusters)
    loss = difference(exam.second, exam.first, exam.clusters)
    assert (gain.word, loss.word) == ("gains", "loses")
    assert gain.not_worse(0.05)
    assert not loss.not_worse(0.05)
    assert loss.not_worse(-loss.low + 1e-9)


def test_one_cluster_proves_nothing() -> None:
    found = difference(np.array([True] * 9), np.array([False] * 9), ["a"] * 9)
    assert (found.low, found.high, found.detectable) == (-1, 1, 1)
    assert found.word == "ties with"


def test_robust_error_of_single_items_is_the_textbook_one() -> None:
    values = np.array([1, 0, 1, 1, 0, 0, 1, 1])
    sums = cluster_sums(values, [str(place) for place in range(8)])
    assert sums.standard_error == pytest.approx(values.std(ddof=1) / 8**0.5)


def test_the_interval_covers_the_truth_and_rarely_alarms() -> None:
    """300 exams of 60 clusters, ICC 0.2; the tolerance is 3.5 binomial standard errors."""
    rng = np.random.default_rng(12)
    exams = 300
    covered = alarms = 0
    for _ in range(exams):
        exam = paired_exam(rng, 60, 0.2, accuracy=0.4, gain=0.1, churn=0.3)
        found = difference(exam.first, exam.second, exam.clusters, draws=500, seed=int(rng.integers(2**31)))
        covered += found.low <= 0.1 <= found.high
        null = paired_exam(rng, 60, 0.2, accuracy=0.4, gain=0.0, churn=0.3)
        alarms += difference(null.first, null.second, null.clusters, draws=100).p_swap < 0.05
    tolerance = 3.5 * (0.95 * 0.05 / exams) ** 0.5
    assert abs(covered / exams - 0.95) < tolerance
    assert alarms / exams < 0.05 + tolerance


def test_detectable_difference_is_found_in_four_of_five_exams() -> None:
    rng = np.random.default_rng(13)
    probe = paired_exam(rng, 100, 0.1, accuracy=0.4, gain=0.0, churn=0.3)
    size = difference(probe.first, probe.second, probe.clusters, draws=100).detectable
    exams = 200
    found = 0
    for _ in range(exams):
        exam = paired_exam(rng, 100, 0.1, accuracy=0.4, gain=size, churn=0.3)
        found += difference(exam.first, exam.second, exam.clusters, draws=400).word == "gains"
    # The size itself is an estimate from one exam, so this is wider than the binomial error (0.03).
    assert 0.65 < found / exams < 0.93
