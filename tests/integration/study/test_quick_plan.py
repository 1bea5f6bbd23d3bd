"""The plan of the study ``quick`` as it is registered, from the items of its real exams."""

from __future__ import annotations

from medctx.config import loading as configs
from study.config.study import STUDIES, StudyConfig
from study.registration.exam_size import planned
from study.registration.table import power_text


def test_quick_sees_ten_points_of_reading_and_asks_calibrated_items_once_each() -> None:
    """Power 0.7 for 10 points of reading at 0:1 with two seeds, 0.8 with a third; lengths weighted alike."""
    made = planned(configs.load(StudyConfig, STUDIES / "quick.yaml"))
    third = planned(configs.load(StudyConfig, STUDIES / "quick.yaml", overrides=["seeds=[0,1,2]"]))
    assert third is not None and third.power.power >= 0.8
    assert made is not None
    assert made.primary.name == "0:1 against base on reading"
    assert made.power.difference == 0.10
    assert made.power.power >= 0.69
    knowledge, reading = made.estimands
    assert knowledge.measure == "taught-minus-untaught"
    assert [part.condition for part in reading.parts] == ["open:256", "open:1024", "open:4096"]
    assert {round(part.weight, 9) for part in reading.parts} == {round(1 / 3, 9)}
    assert sum(part.clusters for part in reading.parts) >= 60
    assert made.prediction is not None
    assert [estimand.axis for estimand in made.confirmed] == ["knowledge", "reading"]
    text = power_text(made)
    assert "0:1 against base on reading" in text
    assert "predicted" in text
