"""Whether 95 % intervals are 95 % intervals, on exams whose truth is known."""

from __future__ import annotations

from functools import cache

import pytest

from bench.support.gate_error import GateSetting
from bench.support.stats_coverage import CHURN, CORRELATIONS, SPARSE, Limits, Row, grid, noisy, seeded, single, unequal

EXAMS = 250
SHORT = Limits(slack=3.5 * (0.05 * 0.95 / EXAMS) ** 0.5)
"""Binomial noise of a short simulation: one in two thousand right rows falls outside."""
SHORT_POWER = Limits(slack=3.5 * (0.2 * 0.8 / EXAMS) ** 0.5)


@cache
def single_row(clusters: int, icc: float, churn: float = CHURN) -> Row:
    return single(clusters, icc, EXAMS, draws=300, churn=churn)


@cache
def seeded_row(clusters: int, seeds: int, deviation: float) -> Row:
    return seeded(clusters, seeds, deviation, EXAMS, draws=300)


@pytest.mark.parametrize("clusters", [20, 60])
@pytest.mark.parametrize("icc", CORRELATIONS)
def test_one_run_per_model_covers_alarms_and_sees_as_planned(clusters: int, icc: float) -> None:
    row = single_row(clusters, icc)
    assert [name for name in row.failures(SHORT) if name != "power"] == []
    assert "power" not in row.failures(SHORT_POWER)


@pytest.mark.parametrize("icc", [0.0, 0.3])
def test_where_few_items_tell_two_models_apart_intervals_still_cover(icc: float) -> None:
    """About eight of eighty items; what the bootstrap alone gives is too short."""
    row = single_row(20, icc, SPARSE)
    # With so few items a test that alarms in 5 % of exams does not exist: intervals may hold 0 too often.
    assert [name for name in row.failures(SHORT) if name not in ("null", "power")] == []
    assert row.cover_null >= 0.95
    assert "power" not in row.failures(SHORT_POWER)
    assert row.cover_bootstrap < row.cover_effect - 0.02  # of the same exams


@pytest.mark.parametrize(("clusters", "seeds", "deviation"), [(20, 2, 0.02), (60, 3, 0.05)])
def test_several_seeds_cover_and_rarely_alarm(clusters: int, seeds: int, deviation: float) -> None:
    assert seeded_row(clusters, seeds, deviation).failures(SHORT) == ()


@pytest.mark.parametrize(("clusters", "accuracy", "conditions"), [(8, 0.1, 1), (24, 0.02, 3), (12, 0.9, 3)])
def test_accuracies_cover_on_few_clusters_of_very_unequal_sizes(
    clusters: int, accuracy: float, conditions: int
) -> None:
    row = unequal(clusters, 0.3, accuracy, conditions, EXAMS)
    assert row.failures(SHORT) == ()


def test_a_cell_whose_seeds_vary_more_is_covered_and_sometimes_noticed() -> None:
    row = noisy(24, 3, EXAMS)
    assert row.failures(SHORT) == ()
    assert row.flagged > 0.05


def test_what_ignores_clusters_or_seeds_would_be_caught() -> None:
    assert not SHORT.alarms(single_row(60, 0.3).alarm_mcnemar)
    assert not SHORT.alarms(seeded_row(60, 3, 0.05).alarm_mcnemar)


def test_every_bound_can_fail() -> None:
    good = Row(
        clusters=20, icc=0, exams=1, effect=0.1, cover_accuracy=0.95, cover_null=0.95, cover_effect=0.95,
        cover_bootstrap=0.9, alarm=0.05, alarm_p=0.05, alarm_mcnemar=0.5, power=0.8, predicted=0.8,
    )  # fmt: skip
    assert good.failures(Limits()) == ()
    broken = {
        "accuracy": {"cover_accuracy": 0.929},
        "null": {"cover_null": 0.929},
        "effect": {"cover_effect": 0.9},
        "alarm": {"alarm": 0.061},
        "alarm p": {"alarm_p": 0.07},
        "power": {"power": 0.74},
    }
    for name, change in broken.items():
        assert good.model_copy(update=change).failures(Limits()) == (name,)


@pytest.mark.slow
def test_the_whole_grid_holds() -> None:
    """2,000 exams a row; two binomial standard errors of slack."""
    rows = [setting.measure(2000, 1000) for setting in grid()]
    assert [(row, failures) for row in rows if (failures := row.failures(Limits(slack=0.01)))] == []


def test_nine_cells_at_the_margin_rarely_pass_the_gate() -> None:
    row = GateSetting(20, icc=0.1).measure(120)
    noise = (0.05 * 0.95 / 120) ** 0.5
    assert row.any_promoted <= 0.05 + 3.5 * noise
    assert row.any_alone > row.any_promoted
