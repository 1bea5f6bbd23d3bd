"""Non-inferiority, equivalence and the noise of examining twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.support.stats_simulate import paired_exam
from medctx.schemas.statistics import Difference
from medctx_eval.stats import differences, repeat_noise, tost


def _pair(gain: float, clusters: int = 300, seed: int = 1) -> Difference:
    exam = paired_exam(np.random.default_rng(seed), clusters, 0.1, accuracy=0.4, gain=gain, churn=0.2)
    return differences(exam.correct, exam.clusters, [(0, 1)], draws=1000)[0]


def test_a_small_difference_in_a_large_exam_is_equivalent_and_a_large_one_is_not() -> None:
    same, better, worse = (tost(_pair(gain), 0.05) for gain in (0.0, 0.12, -0.12))
    assert same.not_worse
    assert same.equivalent
    assert same.p_equivalent < 0.025
    assert better.not_worse
    assert not better.equivalent
    assert better.p_not_worse < 0.001
    assert better.p_not_better > 0.95
    assert not worse.not_worse
    assert worse.p_not_worse > 0.95


def test_a_small_exam_proves_no_equivalence() -> None:
    result = tost(_pair(0.0, clusters=12), 0.05)
    assert not result.not_worse
    assert result.p_equivalent > 0.025
    assert not tost(_pair(0.0, clusters=9), 0.9).not_worse


@given(st.integers(0, 40), st.floats(0.01, 0.3))
@settings(max_examples=30, deadline=None)
def test_p_and_the_shown_interval_agree(seed: int, margin: float) -> None:
    result = tost(_pair(0.0, clusters=80, seed=seed), margin)
    assert result.not_worse == (result.p_not_worse < 0.025)
    assert result.equivalent == (result.p_equivalent < 0.025)


def test_examining_twice_shows_what_differences_mean_nothing() -> None:
    rng = np.random.default_rng(4)
    first = rng.random(1000) < 0.5
    flipped = rng.random(1000) < 0.06
    result = repeat_noise(first, first ^ flipped, flipped | (rng.random(1000) < 0.04), np.arange(1000) // 5)
    assert result.verdicts.value == pytest.approx(flipped.mean())
    assert result.verdicts.low < 0.06 < result.verdicts.high
    assert result.answers.value > result.verdicts.value
    assert result.difference.outcome() == "not told apart"
    # 1.96 * sqrt(0.06 / 1000)
    assert result.floor == pytest.approx(0.0152, abs=0.003)


def test_a_model_that_repeats_itself_has_a_floor_that_the_items_set() -> None:
    right = np.arange(100) % 2 == 0
    result = repeat_noise(right, right, np.zeros(100, dtype=bool), np.arange(100))
    assert (result.verdicts.value, result.answers.value, result.difference.value) == (0, 0, 0)
    assert 0 < result.floor < 0.05
