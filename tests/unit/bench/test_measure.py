"""Measurements are kept one by one, and arms take turns."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.harness.measure import Measurements, turns


def test_each_repetition_has_every_arm_once_and_another_one_first() -> None:
    order = list(turns(["a", "b", "c"], 4))
    assert [arm for repeat, arm in order if repeat == 1] == ["b", "c", "a"]
    assert Counter(order) == Counter((repeat, arm) for repeat in range(4) for arm in "abc")
    firsts = [next(arm for number, arm in order if number == repeat) for repeat in range(4)]
    assert firsts == ["a", "b", "c", "a"]


def test_what_was_measured_before_an_interruption_is_not_measured_again(tmp_path: Path) -> None:
    file, calls = tmp_path / "out" / "measurements.jsonl", []

    def measure(name: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
        calls.append(name)
        if name == "killed":
            raise KeyboardInterrupt
        return {"seconds": float(len(calls))}, {"q": {"A": -1.0}}

    first = Measurements(file)
    first.take("x", {"length": 1}, 0, lambda: measure("x"))
    with pytest.raises(KeyboardInterrupt):
        first.take("y", {"length": 1}, 0, lambda: measure("killed"))
    again = Measurements(file)
    assert again.take("x", {"length": 1}, 0, lambda: measure("x")).numbers == {"seconds": 1.0}
    assert again.take("y", {"length": 1}, 0, lambda: measure("y")).numbers == {"seconds": 3.0}
    assert calls == ["x", "killed", "y"]
    assert [each.arm for each in Measurements(file)] == ["x", "y"]


def test_another_size_arm_or_repetition_is_another_measurement(tmp_path: Path) -> None:
    measurements = Measurements(tmp_path / "measurements.jsonl")
    for arm, length, repeat in (("x", 1, 0), ("x", 2, 0), ("y", 1, 0), ("x", 1, 1)):
        measurements.take(arm, {"length": length}, repeat, lambda: ({"seconds": 1.0}, {}))
    assert len(list(measurements)) == 4
    assert [each.repeat for each in measurements.of("x", {"length": 1})] == [0, 1]


def test_a_half_written_last_line_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "measurements.jsonl"
    Measurements(file).take("x", {"length": 1}, 0, lambda: ({"seconds": 1.0}, {}))
    with file.open("a") as stream:
        stream.write('{"arm": "x", "set')
    continued = Measurements(file)
    assert len(list(continued)) == 1
    continued.take("y", {"length": 1}, 0, lambda: ({"seconds": 2.0}, {}))
    assert [each.arm for each in Measurements(file)] == ["x", "y"]


def test_a_measurement_waits_until_the_machine_is_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = [3.0, 1.0, 0.4, 0.4]
    waited: list[float] = []
    monkeypatch.setattr("os.getloadavg", lambda: (loads.pop(0), 0.0, 0.0))
    monkeypatch.setattr("time.sleep", waited.append)
    taken = Measurements(tmp_path / "m.jsonl", idle=0.5).take("x", {}, 0, lambda: ({"seconds": 1.0}, {}))
    assert len(waited) == 2
    assert taken.load == 0.4
