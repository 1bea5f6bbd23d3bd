"""What is recommended, with what confidence, and what to run next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from study.law.evidence.evidence import Evidence
from study.law.evidence.points import FloatArray
from study.law.recommend.recommend import Curves, choose_composition, next_cells, recommend_composition
from study.law.recommend.records import Options, Recommendation
from study.law.recommend.utility import NAMES, Utility
from tests.support.law_studies import evidence


def advice(recommendation_input: Evidence, **options: object) -> Recommendation:
    return recommend_composition(recommendation_input, Options.model_validate({"seeds": 2, **options}))


def expensive(shares: FloatArray) -> FloatArray:
    """Reading falls far below the base of 0.6 unless most data are general."""
    return np.asarray(0.3 + 0.32 * shares)


@pytest.fixture(scope="module")
def usual() -> Recommendation:
    return advice(evidence())


def test_the_recommended_composition_teaches_and_keeps_reading(usual: Recommendation) -> None:
    """Reading of the truth crosses the base less five points near 1 : 9; knowledge rises with medical data."""
    assert usual.word in {"recommended", "not sure"}
    assert usual.holds >= 0.9
    assert 0.05 < usual.share < 0.5
    assert usual.improvement.low > 0
    assert usual.optimum.low <= usual.share <= 1
    assert "general : medical" in usual.sentence and f"{usual.holds:.0%}" in usual.sentence


def test_the_forecast_has_both_parts_with_intervals_around_their_values(usual: Recommendation) -> None:
    assert [forecast.part for forecast in usual.forecasts] == ["knowledge", "reading"]
    for forecast in usual.forecasts:
        for estimate in (forecast.truth, forecast.gain, forecast.measurement, forecast.difference):
            assert estimate.low < estimate.value < estimate.high
        assert 0 <= forecast.proves <= 1


def test_a_tighter_margin_asks_for_more_general_data(usual: Recommendation) -> None:
    loose = advice(evidence(), margin=0.15)
    assert loose.share < usual.share
    assert loose.improvement.value > usual.improvement.value


def test_more_confidence_is_paid_for_with_knowledge(usual: Recommendation) -> None:
    bold = advice(evidence(), confidence=0.6)
    assert bold.share < usual.share and bold.holds < usual.holds


def test_without_a_margin_reading_does_not_count(usual: Recommendation) -> None:
    recommendation = advice(evidence(), margin=None)
    assert recommendation.share < 0.1 and recommendation.holds == 1
    assert [forecast.part for forecast in recommendation.forecasts] == ["knowledge"]


def test_a_utility_can_ask_for_both() -> None:
    recommendation = advice(evidence(), utility="reading", margin=None)
    assert recommendation.share > 0.5
    both = advice(evidence(), utility="0.5*knowledge + 0.5*reading", margin=None)
    assert 0 <= both.share < recommendation.share


def test_where_nothing_keeps_reading_the_sentence_says_so() -> None:
    recommendation = advice(evidence(reading=lambda shares: np.full_like(shares, 0.4)))
    assert recommendation.word == "none"
    assert recommendation.nowhere > 0.9 and recommendation.holds < 0.1
    assert recommendation.sentence.startswith("No composition keeps reading")


def test_few_noisy_runs_cannot_tell() -> None:
    recommendation = advice(evidence(3, (1.0, 0.5, 0.0), 1, lambda shares: np.full_like(shares, 0.56)), seeds=1)
    assert recommendation.word == "cannot tell"
    assert recommendation.holds < 0.9 or recommendation.improvement.low <= 0
    assert recommendation.sentence.startswith("The data cannot tell")


def test_three_ratios_say_less_about_the_optimum_than_seven() -> None:
    seven, three = advice(evidence()), advice(evidence(0, (1.0, 0.5, 0.0), 1), seeds=1)
    assert three.optimum.high - three.optimum.low > seven.optimum.high - seven.optimum.low
    assert three.improvement.high - three.improvement.low > seven.improvement.high - seven.improvement.low


def test_the_next_cells_are_new_and_each_adds_something(usual: Recommendation) -> None:
    shares = [next_cell.share for next_cell in usual.next_cells]
    assert len(set(shares)) == 3
    assert not set(shares) & {0.0, 0.1, 0.2, 0.5, 0.8, 0.9, 1.0}
    gains = [next_cell.improvement for next_cell in usual.next_cells]
    assert 0 < gains[0] <= gains[1] <= gains[2]


def test_two_compositions_are_no_curve() -> None:
    with pytest.raises(MedctxError, match="fewer than three compositions"):
        advice(evidence(0, (1.0, 0.0)))


def curves(utility: list[list[float]], reading: list[list[float]]) -> Curves:
    value, read = np.array(utility), np.array(reading)
    return Curves(np.linspace(0, 1, value.shape[1]), {"reading": read, "base_reading": 0 * read}, value, 0.05)


def test_among_those_sure_enough_the_best_is_chosen_else_the_surest() -> None:
    known = curves([[3, 2, 1]] * 4, [[-1, 0, 0], [-1, 0, 0], [0, 0, 0], [-1, -1, 0]])
    assert choose_composition(known, np.arange(3.0), 0.7) == (1, True)
    assert choose_composition(known, np.arange(3.0), 0.9) == (2, True)
    assert choose_composition(known, np.arange(2.0), 0.9) == (1, False)


def test_expected_improvement_by_hand() -> None:
    """Measured: the first. The second adds 1 in half of the draws where it keeps reading, the third 3 in a quarter."""
    known = curves([[1, 2, 4]] * 4, [[0, 0, 0], [0, 0, -1], [0, -1, -1], [0, -1, -1]])
    result = next_cells(known, np.array([0.0]), 2)
    assert [cell.share for cell in result] == [1.0, 0.5]
    assert [cell.improvement for cell in result] == [0.75, 1.0]
    assert result[0].ratio == "1:0"


def test_where_the_measured_cell_does_not_keep_reading_any_that_does_improves() -> None:
    result = next_cells(curves([[5, 1, 0]] * 2, [[-1, 0, -1]] * 2), np.array([0.0]), 3)
    assert [(cell.share, cell.improvement) for cell in result] == [(0.5, 1.0)]


numbers = st.floats(0.01, 1)


@given(numbers, numbers, numbers, numbers)
def test_a_formula_means_what_it_says(knowledge: float, reading: float, first: float, second: float) -> None:
    values = dict(zip(NAMES, map(np.array, ([knowledge], [reading], [first], [second])), strict=True))
    text = "0.25 * (knowledge - base_knowledge) + min(reading, base_reading, 0.5) / -2"
    expected = 0.25 * (knowledge - first) + min(reading, second, 0.5) / -2
    assert Utility(text)(values) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("knowledge +", "is no formula"),
        ("", "is no formula"),
        ("wisdom", "holds 'wisdom', which is not understood"),
        ("__import__('os')", "which is not understood"),
        ("knowledge.real", "which is not understood"),
        ("knowledge ** 9", "which is not understood"),
        ("(lambda: knowledge)()", "which is not understood"),
        ("max(knowledge)", "which is not understood"),
        ("knowledge if reading else 0", "which is not understood"),
        ("True * knowledge", "which is not understood"),
        ("min(knowledge, reading, key=reading)", "key=reading.*which is not understood"),
        ("min + knowledge", "holds 'min', which is not understood"),
        ("knowledge[0]", "which is not understood"),
        ("'a' * knowledge", "which is not understood"),
        ("1j * knowledge", "which is not understood"),
        ("1e999 * knowledge", "which is not understood"),
        (f"{10**400} * knowledge", "which is not understood"),
        ("knowledge; reading", "is no formula"),
        ("knowledge + " * 9000 + "reading", "formula|understood"),
        ("0.5 + base_reading", "names neither knowledge nor reading"),
    ],
)
def test_anything_else_is_no_formula(text: str, sentence: str) -> None:
    with pytest.raises(MedctxError, match=sentence):
        Utility(text)


@pytest.mark.parametrize("text", ["knowledge / (reading - base_reading)", "knowledge + 1 / 0", "knowledge / 0"])
def test_a_formula_that_divides_by_zero_is_refused(text: str) -> None:
    values = {name: np.array([0.5, 0.5]) for name in NAMES}
    with pytest.raises(MedctxError, match="divides by zero"):
        Utility(text)(values)
