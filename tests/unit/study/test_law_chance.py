"""What a report's paired errors say of the chance in the items."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.support.law_simulate import READING, Design, Exam, study
from study.law.evidence.item_noise import MeasuredCell, PairError, item_noise
from study.law.evidence.points import DesignPoint, ItemNoise, Measured, MeasuredRun, alike, angle
from study.law.model.fit import _Given
from study.law.model.form import LawForm
from tests.support.law_studies import SEVEN


def noise(**exam: float) -> ItemNoise:
    design = Design(SEVEN, 2, 0.0, Exam(items=3000, clusters=750, **exam))
    return study(READING["law"], 0.6, design, np.random.default_rng(0)).measured.noise


def test_what_runs_share_is_read_from_their_paired_errors() -> None:
    """Correlations of right and wrong are lower than those of the latent difficulty, and keep their order."""
    loose, tight = noise(cluster=0.05, item=0.15, composition=0.2), noise(cluster=0.15, item=0.5, composition=0.2)
    assert loose.near < tight.near and loose.far < tight.far
    assert loose.far + 0.05 < loose.near and tight.far + 0.05 < tight.near
    assert 0.8 < loose.inflation < 1.6


def test_runs_that_take_to_items_in_no_way_of_their_own_are_equally_alike() -> None:
    result = noise(cluster=0.1, item=0.6, composition=0.0)
    assert result.near - result.far < 0.08


def test_few_pairs_leave_the_guess_standing() -> None:
    cells = {"base": MeasuredCell(0.5, 1, None), "1:1": MeasuredCell(0.5, 1, 0.5)}
    result = item_noise(100, 1.0, cells, [PairError("1:1", "base", 0.05)])
    assert result.near == pytest.approx(0.65)
    assert result.base == pytest.approx(0.5)  # 0.05 squared is half of what two independent runs would have


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
    st.floats(0.5, 3),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_errors_by_items_always_have_a_covariance(
    shares: list[float], inflation: float, first: float, second: float, base: float
) -> None:
    item_noise_of_pair = ItemNoise(
        items=100, inflation=inflation, near=max(first, second), far=min(first, second), base=base
    )
    runs = tuple(MeasuredRun(str(number), DesignPoint(share), 0.5) for number, share in enumerate(shares))
    measured = Measured("reading", runs, 0.5, item_noise_of_pair)
    result = _Given(LawForm.of(measured), measured).items()
    assert np.linalg.eigvalsh(result).min() > -1e-9
    assert np.diag(result) == pytest.approx(inflation / 25)


def test_the_usual_ratios_stand_about_evenly() -> None:
    steps = np.diff(angle(np.array([0, 0.1, 0.2, 0.5, 0.8, 0.9, 1])))
    assert steps.sum() == pytest.approx(1)
    assert steps.min() > 0.1 and steps.max() < 0.24
    assert alike(np.array([0.1]), np.array([0.0]))[0, 0] < alike(np.array([0.5]), np.array([0.4]))[0, 0] < 1
