"""The registered plan: it fits together, is not overwritten, says its power, and is held against what was done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.schemas.statistics import MAX_COCHRAN_P, MIN_SEED_DF
from medctx.schemas.study_plan import (
    PLAN_FILE,
    Contrast,
    Estimand,
    Family,
    Prediction,
    StudyPlan,
    WeightedPart,
    deviations,
    equal_weights,
    headline,
)
from medctx_eval.stats.seeds import (
    SeedVariance,
    SeedVariances,
    Spread,
    cochran_p,
    combined_df,
    combined_df_of,
)
from study.registration.power import (
    PlannedErrors,
    detectable,
    planned_errors,
    planned_power,
    power_of,
    seed_variances,
)
from study.registration.register import register, short_digest

READING = equal_weights("reading", [("records", f"open:{length}", 96, 24) for length in (256, 1024, 4096)])
PRIMARY = Contrast(cell="0:1", against="base", axis="reading")
FAMILY = Family(contrasts=(PRIMARY, Contrast(cell="1:1", against="base", axis="reading")))
ASSUMED = {"item_sd": 0.6, "icc": 0.1, "seed_sd": 0.02}


def plan(**changes: object) -> StudyPlan:
    values: dict[str, object] = {
        "study": "quick",
        "cells": ("base", "0:1", "1:1"),
        "axes": {"ratio": ("0:1", "1:1")},
        "training_seeds": (0, 1),
        "estimands": (READING,),
        "margin": 0.05,
        "primary": PRIMARY,
        "family": FAMILY,
        "selection": (),
        "power": planned_power(READING, 0.1, FAMILY, seeds=2, cells=3, **ASSUMED),
        "prediction": Prediction(low=-0.2, expected=-0.1, high=0, reason="the audit's look"),
        "trained_tokens": 40_000,
        "medctx": "0",
    }
    return StudyPlan.model_validate(values | changes)


def test_lengths_weigh_the_same_however_many_items_they_have() -> None:
    estimand = equal_weights("reading", [("records", "open:256", 96, 24), ("records", "open:4096", 12, 3)])
    assert [part.weight for part in estimand.parts] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cells": ("base", "0:1")}, "'1:1', which is no cell"),
        ({"primary": Contrast(cell="1:1", against="0:1", axis="reading")}, "not in the family"),
        ({"estimands": (READING, READING)}, "two estimands of one axis"),
        ({"prediction": {"low": 0, "expected": -0.1, "high": 0, "reason": "x"}}, "does not lie between"),
        ({"margin": 0}, "greater than 0"),
    ],
)
def test_a_plan_that_does_not_fit_together_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        plan(**changes)


def test_weights_must_add_up() -> None:
    part = WeightedPart(exam="records", condition="gold", weight=0.4, items=4, clusters=1)
    with pytest.raises(ValidationError, match=r"add up to 0\.4"):
        Estimand(axis="reading", measure="accuracy", parts=(part,))


def test_the_same_plan_is_registered_once_and_another_one_refused(tmp_path: Path) -> None:
    path = register(plan(), tmp_path)
    before = path.read_bytes()
    assert register(plan(), tmp_path).read_bytes() == before
    assert StudyPlan.model_validate_json(before) == plan()
    with pytest.raises(MedctxError, match="differs from it in training_seeds, margin"):
        register(plan(margin=0.03, training_seeds=(0,)), tmp_path)
    assert (tmp_path / PLAN_FILE).read_bytes() == before


def test_any_change_changes_the_digest() -> None:
    changed = [plan(margin=0.04), plan(training_seeds=(0, 2)), plan(trained_tokens=1), plan(study="trial")]
    assert len({digest.of_record(entry) for entry in (plan(), *changed)}) == 5


def test_a_report_as_registered_says_so_and_others_say_what_differs() -> None:
    registered = plan()
    same = list(deviations(registered, margin=0.05, estimands=[READING], family=FAMILY))
    assert same == []
    assert headline(short_digest(registered), same).startswith("as registered (plan ")
    by_rows = equal_weights("reading", [("records", "open:256", 96, 24)])
    smaller = Family(contrasts=(PRIMARY,), error_rate=0.1)
    results = list(deviations(registered, margin=0.03, estimands=[by_rows], family=smaller))
    assert results == [
        "margin 3 instead of 5 points",
        "other parts or weights of an axis",
        "another family (1 comparisons left out, 0 added)",
        "error rate 0.1 (holm) instead of 0.05 (holm)",
    ]
    assert headline(short_digest(registered), results).startswith("not as registered (plan ")


def test_the_error_is_that_of_simulated_studies() -> None:
    """Items with a shared cluster effect, lengths of different sizes weighted alike, two seeds of a trained cell."""
    estimand = equal_weights("reading", [("records", "open:256", 96, 24), ("records", "open:4096", 24, 6)])
    item_sd, icc, seed_sd, seeds = 0.6, 0.2, 0.03, 2
    rng = np.random.default_rng(0)
    draws = 4_000
    total = np.zeros(draws)
    for part in estimand.parts:
        shared = rng.normal(0, item_sd * np.sqrt(icc), (draws, part.clusters, 1))
        alone = rng.normal(0, item_sd * np.sqrt(1 - icc), (draws, part.clusters, part.items // part.clusters))
        total += part.weight * (shared + alone).mean(axis=(1, 2))
    total += rng.normal(0, seed_sd, (draws, seeds)).mean(axis=1)
    expected = planned_errors(estimand, item_sd=item_sd, icc=icc, seed_sd=seed_sd, seeds=seeds, cells=3)
    assert total.std() == pytest.approx(expected.total, rel=0.04)


def variances_of_the_report(variances: Sequence[float], df: int) -> SeedVariances:
    """What the report makes of the variances of cells, whose rows are ``cell_rows``; items explain nothing of them."""
    pooled_df = max(df, combined_df_of(variances, df)) if df >= MIN_SEED_DF else df * len(variances)
    return SeedVariances(
        SeedVariance(float(np.mean(variances)), pooled_df),
        {cell_rows(place): SeedVariance(value, df) for place, value in enumerate(variances)},
        differ=cochran_p(variances, df) < MAX_COCHRAN_P,
    )


def cell_rows(place: int) -> tuple[int, int]:
    return 2 * place, 2 * place + 1


@pytest.mark.parametrize("trained", [1, 2])
@pytest.mark.parametrize("df", [1, 2, 4])
@pytest.mark.parametrize("cells", [2, 3, 6])
def test_seed_variances_are_those_of_the_report(cells: int, df: int, trained: int) -> None:
    drawn = np.random.default_rng([cells, df]).chisquare(df, (200, cells)) / df
    values, degrees = seed_variances(drawn, df, trained)
    results = [variances_of_the_report(row, df) for row in drawn.tolist()]
    compared = [[result.of(cell_rows(place)) for place in range(trained)] for result in results]
    assert values == pytest.approx([sum(cell.value for cell in row) for row in compared])
    assert degrees.tolist() == [
        combined_df([(cell.value, cell.df) for cell in row]) if result.differ else result.pooled.df
        for row, result in zip(compared, results, strict=True)
    ]
    assert cells == 2 or len({result.differ for result in results}) == 2


@pytest.mark.parametrize(("seeds", "cells", "seed_sd"), [(2, 3, 0.03), (2, 1, 0.01), (3, 3, 0.05), (5, 2, 0.1)])
def test_the_power_is_how_often_intervals_of_the_report_leave_out_0(seeds: int, cells: int, seed_sd: float) -> None:
    errors = planned_errors(READING, item_sd=0.45, icc=0.03, seed_sd=seed_sd, seeds=seeds, cells=cells)
    rng = np.random.default_rng([seeds, cells])
    excluded = []
    for _ in range(2_000):
        runs = rng.normal(0, seed_sd, (cells, seeds))
        variance = variances_of_the_report(runs.var(axis=1, ddof=1).tolist(), seeds - 1).of(cell_rows(0))
        spread = Spread(errors.items, errors.items_df, float(np.sqrt(variance.value / seeds)), variance.df)
        value = 0.1 + runs[0].mean() + rng.normal(0, errors.items)
        excluded.append(abs(value) > spread.half_width(0.975))
    assert np.mean(excluded) == pytest.approx(power_of(0.1, errors), abs=0.035)


def test_seeds_that_differ_by_eleven_points_show_nothing_in_two_seeds() -> None:
    powers = [
        planned_power(READING, 0.1, FAMILY, item_sd=0.45, icc=0.03, seed_sd=seed_sd, seeds=2, cells=3).power
        for seed_sd in (0.02, 0.11)
    ]
    assert powers[0] > 0.65 and powers[1] < 0.15


@settings(deadline=None)
@given(
    items=st.floats(0.005, 0.2),
    items_df=st.integers(5, 200),
    seed_sd=st.floats(0, 0.1),
    seeds=st.integers(1, 5),
    cells=st.integers(2, 6),
    trained=st.sampled_from([1, 2]),
    target=st.floats(0.5, 0.95),
)
def test_what_is_detectable_is_found_with_the_target_power(
    items: float, items_df: int, seed_sd: float, seeds: int, cells: int, trained: int, target: float
) -> None:
    errors = PlannedErrors(items, items_df, seed_sd, seeds, cells, trained)
    assert power_of(detectable(errors, target), errors) == pytest.approx(target, abs=0.002)


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(2, 8))
def test_more_seeds_never_lose_power(first: int, second: int) -> None:
    fewer, more = sorted((first, second))
    powers = [planned_power(READING, 0.1, FAMILY, seeds=seeds, cells=3, **ASSUMED).power for seeds in (fewer, more)]
    assert powers[0] <= powers[1]


def test_ten_points_are_seen_half_the_time_with_96_items_a_length_and_two_seeds() -> None:
    powers = [planned_power(READING, 0.1, FAMILY, seeds=seeds, cells=3, **ASSUMED).power for seeds in (2, 3)]
    assert powers == pytest.approx([0.5, 0.58], abs=0.02)
