"""The law's form, its fit, and whether its intervals mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from bench.support.law_simulate import READING, Design, study
from study.law.evidence.points import DesignPoint, ItemNoise, Measured, MeasuredRun
from study.law.model.fit import Law, fit
from study.law.model.form import LawForm, bent
from tests.support.law_studies import SEVEN

bends = st.floats(-60, 60)
shares = st.lists(st.floats(0, 1), min_size=2, max_size=12, unique=True).map(sorted)


USUAL = Design(SEVEN, 2, 0.06)


def measured(shape: str = "law", seed: int = 0, design: Design = USUAL) -> Measured:
    return study(READING[shape], 0.6, design, np.random.default_rng(seed)).measured


@given(bends, shares)
def test_a_bent_line_rises_from_0_to_1(bend: float, at: list[float]) -> None:
    result = bent(np.array([bend]), np.array([0.0, *at, 1.0]))[0]
    assert result[0] == pytest.approx(0) and result[-1] == pytest.approx(1)
    assert (np.diff(result) >= -1e-12).all()


@given(bends, shares)
def test_bends_of_opposite_sign_mirror_each_other(bend: float, at: list[float]) -> None:
    there, back = bent(np.array([bend, -bend]), np.array(at))
    mirrored = bent(np.array([-bend]), 1 - np.array(at))[0]
    assert there == pytest.approx(1 - mirrored, abs=1e-9)
    assert bend < 1e-6 or (back >= there - 1e-12).all()


def test_no_bend_is_a_straight_line() -> None:
    at = np.linspace(0, 1, 7)
    assert bent(np.array([0.0, 1e-9]), at) == pytest.approx(np.array([at, at]), abs=1e-6)


@pytest.mark.parametrize("exponent", [-1.0, -0.2, 0.5, 2.2])
def test_the_amount_term_is_a_power_law_measured_from_the_reference(exponent: float) -> None:
    cells = [DesignPoint(0.5, amount) for amount in (1e4, 2e4, 2e4, 8e4)]
    form = LawForm.of(Measured("knowledge", tuple(MeasuredRun(str(at), place, 0.5) for at, place in enumerate(cells))))
    bends = {"amount bend": np.array([exponent * np.log(8)])}
    more = form.columns(bends, [DesignPoint(0.5, amount) for amount in (1e4, 2e4, 4e4, 8e4, 3.2e5)])[0, :, 1]
    power = np.array([1.0, 2.0, 4.0, 8.0, 32.0]) ** exponent
    assert more[1] == pytest.approx(0)
    assert more == pytest.approx((power - power[1]) / (power[3] - power[0]))


def test_amounts_that_gain_speed_do_not_bend_the_composition() -> None:
    """Three amounts at 1:1 whose gain grows by the amount squared, beside a straight law of the share in logits."""
    shares = (1.0, 0.8, 0.5, 0.2, 0.0)
    cells = [(DesignPoint(share, 1.0), 0.5 - share) for share in shares]
    cells += [(DesignPoint(0.5, 0.5), -0.3), (DesignPoint(0.5, 2.0), 1.2)]
    runs = tuple(MeasuredRun(str(n), place, float(special.expit(logit))) for n, (place, logit) in enumerate(cells))
    law = fit(Measured("knowledge", runs, None, ItemNoise(items=4000)))
    expected = special.expit(law.truth([DesignPoint(share, 1.0) for share in shares]).mean)
    assert expected == pytest.approx([special.expit(0.5 - share) for share in shares], abs=0.012)


@pytest.mark.parametrize(
    ("places", "terms"),
    [
        ([DesignPoint(0), DesignPoint(0.5), DesignPoint(1)], ["medical only", "general only"]),
        ([DesignPoint(0, 1e4), DesignPoint(0, 2e4)], ["level", "amount"]),
        ([DesignPoint(0, 2e4), DesignPoint(1, 2e4), DesignPoint(1, 1e4)], ["medical only", "general only", "amount"]),
        (
            [DesignPoint(0, 2e4), DesignPoint(1, 2e4), DesignPoint(1, 1e4), DesignPoint(0, 1e4)],
            ["medical only", "general only", "amount", "amount tilt"],
        ),
        (
            [DesignPoint(s, None, size) for s in (0, 1) for size in (1e9, 7e9)],
            ["medical only", "general only", "size", "size tilt"],
        ),
    ],
)
def test_the_form_has_the_terms_that_the_cells_can_speak_of(places: Sequence[DesignPoint], terms: list[str]) -> None:
    runs = tuple(MeasuredRun(str(number), place, 0.5) for number, place in enumerate(places))
    assert [name for name, _ in LawForm.of(Measured("reading", runs)).terms] == terms


def test_the_fit_comes_close_to_a_truth_that_has_its_form() -> None:
    law = fit(measured(design=Design(SEVEN, 3, 0.02)))
    at = np.linspace(0, 1, 11)
    result = special.expit(law.truth([DesignPoint(float(share)) for share in at]).mean)
    assert np.abs(result - READING["law"](at)).max() < 0.06


@pytest.fixture(scope="module")
def law() -> Law:
    return fit(measured())


def test_joint_draws_have_the_quantiles_of_the_formula(law: Law) -> None:
    places = [DesignPoint(share) for share in (0.0, 0.05, 0.5, 1.0)]
    drawn, result = law.paths(places, 6000), law.truth(places)
    assert drawn.shape == (6000, 5)  # the base comes last
    for probability in (0.025, 0.5, 0.975):
        assert np.quantile(drawn[:, :4], probability, axis=0) == pytest.approx(result.quantile(probability), abs=0.01)


def test_the_same_data_give_the_same_law(law: Law) -> None:
    again = fit(measured())
    assert np.array_equal(again.weights, law.weights)
    assert np.array_equal(again.paths([DesignPoint(0.3)], 10), law.paths([DesignPoint(0.3)], 10))


def _width(law: Law, share: float, seeds: int | None = None) -> float:
    result = law.truth([DesignPoint(share)]) if seeds is None else law.run(DesignPoint(share), seeds)
    return float((result.quantile(0.975) - result.quantile(0.025))[0])


def test_runs_of_several_seeds_are_easier_to_foretell_than_one(law: Law) -> None:
    assert _width(law, 0.3, 1) > _width(law, 0.3, 3)


def test_between_cells_the_law_knows_more_than_outside_them() -> None:
    inner = fit(measured(design=Design((0.2, 0.4, 0.6, 0.8), 2, 0.06)))
    assert _width(inner, 0.5) < _width(inner, 1.0) and _width(inner, 0.5) < _width(inner, 0.0)


def test_the_difference_to_the_base_is_surer_than_if_both_had_answered_other_items(law: Law) -> None:
    drawn = law.paths([DesignPoint(0.5)], 6000)
    apart = np.hypot(drawn[:, 0].std(), drawn[:, 1].std())
    assert (drawn[:, 0] - drawn[:, 1]).std() < 0.9 * apart


def test_a_truth_around_the_form_widens_the_intervals() -> None:
    wavy = tuple(MeasuredRun(f"{s}", DesignPoint(s), 0.6 + 0.1 * (-1) ** n) for n, s in enumerate(SEVEN))
    smooth = tuple(MeasuredRun(f"{s}", DesignPoint(s), 0.55 + 0.1 * s) for s in SEVEN)
    noise = ItemNoise(items=2000)
    widths = [_width(fit(Measured("reading", runs, None, noise)), 0.35) for runs in (wavy, smooth)]
    assert widths[0] > 2 * widths[1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6))
def test_any_scores_give_a_law_inside_0_and_1(scores: list[tuple[float, float]]) -> None:
    runs = tuple(MeasuredRun(str(number), DesignPoint(share), score) for number, (share, score) in enumerate(scores))
    result = fit(Measured("reading", runs, 0.5, ItemNoise(items=50, near=0.6, far=0.5, base=0.4)))
    mixture = result.run(DesignPoint(0.5))
    low, high = mixture.quantile(0.025)[0], mixture.quantile(0.975)[0]
    assert 0 <= low <= special.expit(mixture.mean[0]) <= high <= 1
