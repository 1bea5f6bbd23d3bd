"""What an exam can see, and how large it must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.support.stats_simulate import MEAN_SIZE, SIZE_CV, paired_exam
from medctx.errors import MedctxError
from medctx_eval.power.exam_size import MIN_DISCORDANT
from medctx_eval.power.power import (
    Disagreement,
    ExamDesign,
    clusters_needed,
    detectable_difference,
    measure_disagreement,
    power,
    skewness_and_kurtosis,
)
from medctx_eval.stats import difference

designs = st.builds(
    ExamDesign, clusters=st.integers(10, 400), per_cluster=st.integers(1, 30).map(float), size_cv=st.floats(0, 1)
)
models = st.builds(Disagreement, discordance=st.floats(0.05, 0.6), icc=st.floats(0, 0.4))


def test_independent_items_need_what_the_textbook_says() -> None:
    """(z(0.975) + z(0.8))^2 (d - delta^2) / delta^2 = 7.849 * 0.1991 / 0.0009 = 1,736 pairs."""
    needed = clusters_needed(0.03, Disagreement(discordance=0.2, icc=0), 1)
    assert needed == pytest.approx(1736, abs=5)


@pytest.mark.parametrize(
    ("items", "delta", "discordance", "icc"),
    [(1, 0.1, 0.2, 0.1), (4, 0.09, 0.1, 0.3), (5, -0.1, 0.3, 0.1), (3, 0, 0.2, 0)],
)
def test_skewness_and_kurtosis_are_those_of_all_outcomes(
    items: int, delta: float, discordance: float, icc: float
) -> None:
    chances = np.array([(discordance + delta) / 2, (discordance - delta) / 2, 1 - discordance])
    outcomes = [(a, b, items - a - b) for a in range(items + 1) for b in range(items + 1 - a)]
    if icc:
        weights = [stats.dirichlet_multinomial.pmf(outcome, chances * (1 - icc) / icc, items) for outcome in outcomes]
    else:
        weights = [stats.multinomial.pmf(outcome, items, chances) for outcome in outcomes]
    values = np.array([a - b for a, b, _ in outcomes], dtype=np.float64)
    central = values - np.average(values, weights=weights)
    variance = np.average(central**2, weights=weights)
    expected = (
        np.average(central**3, weights=weights) / variance**1.5,
        np.average(central**4, weights=weights) / variance**2,
    )
    assert skewness_and_kurtosis(items, delta, discordance, icc) == pytest.approx(expected, abs=1e-9)


def test_longhealth_sees_large_differences_only() -> None:
    """20 patients with 20 questions: 400 items are worth 138 where they correlate by 0.1."""
    exam = ExamDesign(clusters=20, per_cluster=20)
    alone = detectable_difference(Disagreement(discordance=0.2, icc=0.0), exam)
    together = detectable_difference(Disagreement(discordance=0.2, icc=0.1), exam)
    assert alone == pytest.approx(0.065, abs=0.005)
    assert together == pytest.approx(0.109, abs=0.005)
    assert power(0.03, Disagreement(discordance=0.2, icc=0.1), exam) < 0.15


@given(models, designs, st.floats(0.1, 0.9))
@settings(max_examples=60, deadline=None)
def test_more_difference_and_less_correlation_mean_more_power(
    disagreement: Disagreement, exam: ExamDesign, share: float
) -> None:
    assume(exam.items * disagreement.discordance >= MIN_DISCORDANT)
    delta = disagreement.discordance * share * 0.9
    result = power(delta, disagreement, exam)
    assert power(delta * 1.1, disagreement, exam) >= result - 1e-9
    assert power(delta, disagreement.model_copy(update={"icc": 0.0}), exam) >= result - 1e-9
    seen = detectable_difference(disagreement, exam)
    if seen is not None:
        assert power(seen, disagreement, exam) == pytest.approx(0.8, abs=1e-6)


@given(models, st.integers(1, 30), st.floats(0.2, 0.8))
@settings(max_examples=40, deadline=None)
def test_the_exam_asked_for_is_the_smallest_that_sees(
    disagreement: Disagreement, per_cluster: int, share: float
) -> None:
    delta = disagreement.discordance * share
    needed = clusters_needed(delta, disagreement, per_cluster)
    assert power(delta, disagreement, ExamDesign(clusters=needed, per_cluster=per_cluster)) >= 0.8
    if needed > 2:
        assert power(delta, disagreement, ExamDesign(clusters=needed - 1, per_cluster=per_cluster)) < 0.8


def test_what_cannot_be_is_refused() -> None:
    disagreement = Disagreement(discordance=0.1, icc=0)
    with pytest.raises(MedctxError, match=r"Models that answer 10.0% .* cannot differ by 12 points"):
        clusters_needed(0.12, disagreement, 5)
    with pytest.raises(MedctxError, match="up to 10,000,000 clusters"):
        clusters_needed(0.00001, disagreement, 1)
    assert detectable_difference(disagreement, ExamDesign(clusters=4, per_cluster=2)) is None


def test_measured_disagreement_is_the_one_that_was_drawn() -> None:
    exam = paired_exam(np.random.default_rng(1), 4000, 0.2, accuracy=0.4, gain=0.1, churn=0.3)
    disagreement, design = measure_disagreement(exam.correct[0] * 1.0 - exam.correct[1], exam.clusters)
    assert disagreement.discordance == pytest.approx(0.3, abs=0.02)
    assert disagreement.icc == pytest.approx(0.2, abs=0.03)
    assert design.per_cluster == pytest.approx(MEAN_SIZE, rel=0.03)
    assert design.size_cv == pytest.approx(SIZE_CV, rel=0.05)
    result = difference(exam.correct[0], exam.correct[1], exam.clusters, draws=100)
    assert detectable_difference(disagreement, design) == pytest.approx(result.detectable, rel=0.05)


def test_runs_that_never_differ_measure_nothing() -> None:
    with pytest.raises(MedctxError, match="agree on every item"):
        measure_disagreement(np.zeros(30), np.arange(30))
    singles, _ = measure_disagreement(np.array([1.0, 0, -1, 1, 0]), np.arange(5))
    assert (singles.icc, singles.discordance) == (0, 0.6)
