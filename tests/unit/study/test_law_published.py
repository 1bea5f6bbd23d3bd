"""The law on published results: Table 4 of arXiv 2407.11536, five ratios at four sizes of one family."""

from __future__ import annotations

import numpy as np
import pytest

from study.law.evidence.points import DesignPoint, ItemNoise, Measured, MeasuredRun
from study.law.records import Validation
from study.law.validate.leave_out import groupings, validate

SIZES = (1.8e9, 4e9, 7e9, 14e9)
TABLE = {
    0.9: (39.02, 52.53, 62.96, 68.81),
    0.8: (38.67, 52.63, 62.27, 68.53),
    0.5: (37.58, 51.14, 60.42, 68.10),
    0.2: (33.38, 49.96, 59.96, 65.12),
    0.1: (33.73, 49.51, 59.65, 64.85),
}


@pytest.fixture(scope="module")
def measured() -> Measured:
    runs = tuple(
        MeasuredRun(f"{share} {size:g}", DesignPoint(share, None, size), score / 100)
        for share, scores in TABLE.items()
        for size, score in zip(SIZES, scores, strict=True)
    )
    return Measured("reading", runs, None, ItemNoise(items=11_171))


def test_cells_ratios_and_sizes_can_be_left_out(measured: Measured) -> None:
    assert groupings(measured) == ("cell", "ratio", "size")


@pytest.fixture(scope="module", params=["ratio", "size"])
def left_out(measured: Measured, request: pytest.FixtureRequest) -> Validation:
    result = validate(measured, request.param)
    assert result is not None and result.runs == 20
    return result


def test_the_law_covers_what_was_left_out(left_out: Validation) -> None:
    assert left_out.covered >= 17  # 0.95 of 20, less two standard errors
    assert left_out.errors["law"] < {"ratio": 0.010, "size": 0.040}[left_out.by]


def test_the_law_does_not_pretend_to_beat_a_straight_line(left_out: Validation) -> None:
    straight = left_out.advantages["straight"]
    assert straight.low is not None and straight.high is not None
    assert straight.low < 0 < straight.high
    assert left_out.sentence.endswith("no sure difference.")


def test_what_lies_beyond_the_measured_is_foretold_with_reserve(left_out: Validation) -> None:
    def reach(between: bool) -> float:
        return float(
            np.mean(
                [prediction.high - prediction.low for prediction in left_out.held_out if prediction.between is between]
            )
        )

    assert reach(False) > 1.2 * reach(True)
