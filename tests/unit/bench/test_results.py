"""Ratios are given only where two arms did the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.harness import results
from bench.harness.agreement import agreement
from bench.harness.measure import Measurements
from bench.harness.numbers import exponent

SETTING = {"length": 512}
ANSWERS = {"q1": {"A": -1.0, "B": -3.0}, "q2": {"A": -5.0, "B": -2.0}}


def _shifted(by: float) -> dict[str, dict[str, float]]:
    """The same answers with a token more before every option."""
    return {question: {name: value + by for name, value in options.items()} for question, options in ANSWERS.items()}


def _turned() -> dict[str, dict[str, float]]:
    return {question: {"A": options["B"], "B": options["A"]} for question, options in ANSWERS.items()}


def _measured(path: Path, other: dict[str, dict[str, float]]) -> Measurements:
    measurements = Measurements(path / "measurements.jsonl")
    for repeat, (mine, theirs) in enumerate(((1.0, 10.0), (2.0, 30.0), (1.0, 20.0))):
        measurements.take("mine", SETTING, repeat, lambda mine=mine: ({"seconds": mine}, ANSWERS))
        measurements.take("peer", SETTING, repeat, lambda theirs=theirs: ({"seconds": theirs}, other))
    return measurements


def test_the_ratio_is_the_median_over_repetitions(tmp_path: Path) -> None:
    rows = results.rows_of(_measured(tmp_path, _shifted(-0.5)), "seconds", ["mine"])
    peer = next(row for row in rows if row["arm"] == "peer")
    ratio = peer["ratios"]["mine"]  # type: ignore[index]
    assert (ratio["median"], ratio["least"], ratio["most"], ratio["n"]) == (15.0, 10.0, 20.0, 3)
    assert ratio["agreement"]["compared"] == 2
    assert (peer["median"], peer["n"]) == (20.0, 3)
    assert "| peer | 512 | 20 [10, 30] | 3 | 15 [10, 20] |" in results.table(rows, "seconds")


def test_other_answers_are_refused_a_ratio(tmp_path: Path) -> None:
    rows = results.rows_of(_measured(tmp_path, _turned()), "seconds", ["mine"])
    peer = next(row for row in rows if row["arm"] == "peer")
    ratio = peer["ratios"]["mine"]  # type: ignore[index]
    assert set(ratio) == {"refused"} and "0% of 2 decided" in ratio["refused"]
    assert "refused" in results.table(rows, "seconds")


def test_agreement_is_relative_to_the_mean_of_a_question() -> None:
    assert agreement(ANSWERS, _shifted(-7.0)) == (pytest.approx(0.0), 1.0, 2, 2)
    assert agreement(ANSWERS, _turned()).same == 0.0
    near = {"q1": {"A": -1.1, "B": -3.0}}
    assert agreement(ANSWERS, near).nats == pytest.approx(0.05)


def test_undecided_questions_do_not_count_as_other_answers() -> None:
    tie = agreement({"q": {"A": -1.0, "B": -1.1}}, {"q": {"A": -1.1, "B": -1.0}})
    assert tie.holds and tie.decided == 0


def test_nothing_in_common_is_no_agreement() -> None:
    assert not agreement(ANSWERS, {"other": {"A": -1.0, "B": -2.0}}).holds


def test_results_name_the_machine_and_whether_other_work_ran(tmp_path: Path) -> None:
    machine = {
        "processor": "a processor",
        "cores": 0,
        "memory_gib": 1.0,
        "system": "Linux x86_64",
        "python": "3.11",
        "versions": {"torch": "2"},
        "revision": "abc",
    }
    measurements = _measured(tmp_path, ANSWERS)
    results.write(tmp_path, "name", "Title", [("Part", "text")], {"rows": []}, machine, measurements)
    page = (tmp_path / "name.md").read_text()
    assert page.startswith("# Title\n\n<!-- --8<-- [start:measured] -->\n\na processor, 0 cores")
    assert "torch 2; revision abc" in page and page.endswith("<!-- --8<-- [end:measured] -->\n")
    assert (tmp_path / "name.json").is_file()


def test_an_exponent_of_two_sizes_is_written_as_json_without_its_ends(tmp_path: Path) -> None:
    fitted = exponent([1, 2], [1, 4])
    computer = {"processor": "p", "cores": 2, "memory_gib": 1, "system": "s", "python": "3", "versions": {}}
    machine = {**computer, "revision": "r"}
    record: results.Row = {"growth": fitted._asdict()}
    results.write(tmp_path, "data", "Title", [], record, machine, _measured(tmp_path, ANSWERS))
    growth = json.loads((tmp_path / "data.json").read_text(), parse_constant=pytest.fail)["growth"]
    assert growth["exponent"] == pytest.approx(2) and growth["low"] is None and growth["high"] is None
