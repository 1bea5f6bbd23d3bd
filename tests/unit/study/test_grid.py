from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.schemas.ratio import general_share, lowest_terms
from study.config.cells import short
from study.config.design import coordinates, grid, one_at_a_time, space_filling
from study.config.grid import cells, source_of
from study.config.study import STUDIES, StudyConfig

AXES = {
    "base": ["small", "large"],
    "ratio": ["1:0", "9:1", "4:1", "1:1", "1:4", "1:9", "0:1"],
    "amount": [10_000, 20_000, 40_000, 80_000],
}


def quick(*overrides: str) -> StudyConfig:
    return configs.load(StudyConfig, STUDIES / "quick.yaml", ["seeds=[0]", *overrides])


def names(*overrides: str) -> list[str]:
    return [cell.name for cell in cells(quick(*overrides))]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], ["base", "1:0", "1:1", "0:1"]),
        (["ratios=[]"], ["base"]),
        (["ratios=['1:1'] seeds=[0,1]"], ["base", "1:1 seed 0", "1:1 seed 1"]),
        (["ratios=['1:1'] amounts=[10000,20000]"], ["base", "1:1 10k", "1:1 20k"]),
        (
            ["ratios=['1:1'] amounts=[10000,20000] equal_tokens=true"],
            ["base", "1:1 10k", "1:1 10k x2", "1:1 20k"],
        ),
        (["ratios=['9:1'] bases=[7B,14B]"], ["7B", "14B", "7B 9:1", "14B 9:1"]),
        (["ratios=['1:1'] methods=[lora,full]"], ["base", "1:1 lora", "1:1 full"]),
        (["ratios=['1:1'] wraps=[0,0.3]"], ["base", "1:1", "1:1 wrap 0.3"]),
        (
            [
                "ratios=['1:1','0:1'] sources=[a,b]",
                "source_sets={a: {}, b: {}}",
                "design=listed",
                "points=[{ratio: '2:2'}, {ratio: '1:1', sources: b}, {ratio: '0:1'}]",
            ],
            ["base", "1:1 a", "1:1 b", "0:1"],
        ),
        (
            ["ratios=['1:1','0:1'] sources=[a,b]", "source_sets={a: {}, b: {}}"],
            ["base", "1:1 a", "1:1 b", "0:1 a", "0:1 b"],
        ),
        (["ratios=['1:1'] repairs=[half]", "arms={half: {arm: scale}}"], ["base", "1:1", "1:1 half"]),
    ],
)
def test_cells_are_called_by_what_distinguishes_them(overrides: list[str], expected: list[str]) -> None:
    assert names(*overrides) == expected


def test_seeds_are_repetitions_of_one_group() -> None:
    results = [cell for cell in cells(quick("seeds=[0,1]")) if cell.ratio == "1:1"]
    assert [cell.seed for cell in results] == [0, 1]
    assert {cell.group for cell in results} == {"1:1"}


def test_a_model_behind_a_server_is_examined_and_never_trained() -> None:
    result = names("bases=[7B,GPT]", "models={GPT: {id: gpt-4, urls: ['http://localhost:1']}}", "ratios=['1:1']")
    assert result == ["7B", "GPT", "7B 1:1"]


def test_a_repaired_cell_knows_the_trained_one_it_is_made_from() -> None:
    every = cells(quick("seeds=[0,1] repairs=[half]", "arms={half: {arm: scale}}"))
    repaired = [cell for cell in every if cell.repair]
    assert [source_of(cell, every).name for cell in repaired] == [cell.name.replace(" half", "") for cell in repaired]


def test_one_at_a_time_changes_one_axis_at_a_time() -> None:
    center = {"base": "small", "ratio": "1:1", "amount": 40_000}
    result = one_at_a_time(AXES, center)
    assert len(result) == 1 + 1 + 6 + 3
    assert all(sum(point[axis] != center[axis] for axis in AXES) <= 1 for point in result)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 56))
def test_a_space_filling_subset_is_of_the_grid_and_always_the_same(count: int) -> None:
    result = space_filling(AXES, count)
    every = grid(AXES)
    assert len(result) == count == len({tuple(point.values()) for point in result})
    assert result == [point for point in every if point in result], "in the order of the grid"
    assert result == space_filling(AXES, count)


def test_a_space_filling_subset_fills_the_space_better_than_chance() -> None:
    every, places = grid(AXES), coordinates(AXES)
    chosen = [every.index(point) for point in space_filling(AXES, 14)]
    rng = np.random.default_rng(0)
    by_chance = [pdist(places[rng.choice(len(every), 14, replace=False)]).min() for _ in range(200)]
    assert pdist(places[chosen]).min() >= np.quantile(by_chance, 0.99)


def test_amounts_are_spaced_by_their_factors_and_ratios_by_their_share() -> None:
    result = coordinates({"ratio": ["1:0", "1:1", "0:1"], "amount": [10, 100, 1000]})
    assert result[4].tolist() == pytest.approx([0.5, 0.5])


def test_the_center_must_lie_on_the_axes() -> None:
    with pytest.raises(MedctxError, match=r"center\.ratio is '2:1', which is none of"):
        cells(quick("design=one-at-a-time", "center={ratio: '2:1'}"))
    with pytest.raises(MedctxError, match=r"center\.colour is no axis"):
        cells(quick("design=one-at-a-time", "center={colour: red}"))
    with pytest.raises(MedctxError, match=r"The key points.1.ratio is '1:9', which is none of"):
        cells(quick("design=listed", "points=[{ratio: '1:1'}, {ratio: '1:9'}]"))


@pytest.mark.parametrize(("ratio", "share"), [("9:1", 0.9), ("0:1", 0.0), ("1:0", 1.0), ("0.5:1.5", 0.25)])
def test_a_ratio_is_general_to_medical(ratio: str, share: float) -> None:
    assert general_share(ratio) == pytest.approx(share)


def test_the_same_mixture_has_one_name() -> None:
    assert [lowest_terms(ratio) for ratio in ("2:2", "0.5:1.5", "90:10", "0:7", "3:0")] == [
        "1:1", "1:3", "9:1", "0:1", "1:0",
    ]  # fmt: skip
    assert names("ratios=['2:2']") == names("ratios=['1:1']")


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 9))
def test_lowest_terms_keep_the_share(general: int, medical: int, factor: int) -> None:
    ratio = lowest_terms(f"{general * factor}:{medical * factor}")
    assert general_share(ratio) == general_share(f"{general}:{medical}")
    assert lowest_terms(ratio) == ratio


@pytest.mark.parametrize(("amount", "text"), [(20_000, "20k"), (1_500_000, "1.5M"), (1_234, "1234"), (500, "500")])
def test_amounts_are_short(amount: int, text: str) -> None:
    assert short(amount) == text
