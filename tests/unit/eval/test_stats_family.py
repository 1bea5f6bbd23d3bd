"""Holm's adjustment."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from medctx_eval.stats import holm


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1, then made monotone.
    assert holm([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_holm_never_lowers_a_p_and_never_exceeds_bonferroni(values: list[float]) -> None:
    for plain, adjusted in zip(values, holm(values), strict=True):
        assert plain - 1e-12 <= adjusted <= min(1, plain * len(values)) + 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_holm_is_what_statsmodels_says(values: list[float]) -> None:
    with mock.patch("gc.collect"):  # every call of multipletests makes one, which takes half a second beside torch
        expected = multipletests(values, method="holm")[1]
    assert holm(values) == pytest.approx(expected)
