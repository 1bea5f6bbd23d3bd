"""What is said of curves over the amount of data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from study.law.evidence.points import DesignPoint, FloatArray, Measured, MeasuredRun
from study.law.model.amount_curves import PureError
from study.law.model.saturation import saturation, saturations

PUBLISHED = {10: 57.60, 20: 55.08, 50: 53.64, 70: 54.83, 80: 51.71, 90: 53.41, 100: 58.71, 200: 56.12}
"""Table 5 of arXiv 2407.11536: thousands of question-answer pairs, all medical, and accuracy."""


def curve(
    truth: Callable[[FloatArray], FloatArray], places: int = 7, seeds: int = 3, sd: float = 0.03, luck: int = 0
) -> Measured:
    amounts = np.repeat(1e4 * 2.0 ** np.arange(places), seeds)
    rng = np.random.default_rng(luck)
    scores = special.expit(special.logit(truth(amounts)) + sd * rng.standard_normal(len(amounts)))
    runs = [
        MeasuredRun(f"{a:g}", DesignPoint(0.5, float(a)), float(score))
        for a, score in zip(amounts, scores, strict=True)
    ]
    return Measured("knowledge", tuple(runs))


def until(change: float) -> Callable[[FloatArray], FloatArray]:
    return lambda amounts: 0.4 + 0.06 * np.log2(np.minimum(amounts, change) / 1e4)


@pytest.mark.parametrize(
    ("truth", "word"),
    [
        (until(4e4), "saturates"),
        (until(1e9), "still rising"),
        (lambda amounts: 0.6 - 0.04 * np.log2(amounts / 1e4), "falls"),
        (lambda amounts: np.full_like(amounts, 0.5), "level"),
    ],
)
def test_clear_data_are_called_by_their_name(truth: Callable[[FloatArray], FloatArray], word: str) -> None:
    result = saturation(curve(truth), 0.05)
    assert result.word == word
    assert result.sentence.startswith("Knowledge at 1:1 over amounts of 10,000 to 640,000")


@pytest.mark.parametrize("luck", range(5))
def test_the_interval_holds_the_true_change_point(luck: int) -> None:
    result = saturation(curve(until(8e4), luck=luck), 0.05)
    assert result.change_low is not None and result.change_high is not None
    assert result.change_low < 8e4 < result.change_high < 6.4e5
    assert result.change_low < result.change < result.change_high


def test_the_published_curve_cannot_tell() -> None:
    runs = tuple(MeasuredRun(f"{k}k", DesignPoint(0, k * 1000.0), score / 100) for k, score in PUBLISHED.items())
    result = saturation(Measured("reading", runs), 0.05)
    assert result.word == "cannot tell"
    assert "the data cannot tell whether it saturates" in result.sentence
    assert result.change_low is None and result.change_high is None
    assert result.p_amount is not None and result.p_amount > 0.2
    ranks = {curve.curve: curve.behind for curve in result.curves}
    assert ranks["constant"] == 0  # nothing is gained by any other curve


def test_as_many_parameters_as_runs_cannot_tell() -> None:
    result = saturation(curve(until(2e4), places=3, seeds=1), 0.05)
    assert result.word == "cannot tell" and "repeat cells with other seeds" in result.sentence
    assert result.p_amount is None and result.effect_low is not None


def test_what_repeated_cells_tell_of_runs_elsewhere_counts() -> None:
    single = curve(until(2e4), places=3, seeds=1, sd=0.001)
    quiet = saturation(single, 0.05, PureError(squares=10 * 0.001**2, df=10))
    loud = saturation(single, 0.05, PureError(squares=10 * 0.5**2, df=10))
    assert (quiet.word, loud.word) == ("saturates", "cannot tell")


def test_every_composition_with_three_amounts_or_more_has_a_curve() -> None:
    line = curve(until(4e4), places=3).runs
    other = tuple(MeasuredRun("0:1", DesignPoint(0, 4e4), 0.5, seed) for seed in range(3))
    result = saturations(Measured("knowledge", (*line, *other)), 0.05)
    assert [cell.share for cell in result] == [0.5]
    assert result[0].df == 6 + 2
