"""Checkpoints from elsewhere as cells: what may be written, what they are called, and what they are compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.schemas.exam_run import ExamCard, PlannedPart
from medctx.schemas.study_plan import other_runs
from study.config.grid import cells
from study.config.study import StudyConfig
from study.registration.plan import ExamParts, plan_of, settings_of
from study.stages.bases import Base
from study.stages.confirmation import examined_again
from study.stages.results import cell_results
from study.stages.tasks import tasks_of
from study.workflow.graph import Results

ASKED = ExamParts((PlannedPart(exam="e", condition="gold", axis="reading", items=40, clusters=4),))
ELSEWHERE = [
    {"name": "theirs", "adapter": "runs/theirs"},
    {"model": "owner/tuned"},
    {"endpoint": "http://host:8000", "model": "served", "tokenizer": "owner/served"},
]
BASES = {
    "b": Base(label="b", id="b", folder=Path("/b"), weights_digest="b"),
    "theirs": Base(
        label="theirs", id="/b", folder=Path("/b"), weights_digest="b", adapter=Path("/theirs"), adapter_digest="t"
    ),
    "tuned": Base(label="tuned", id="owner/tuned", folder=Path("/tuned"), weights_digest="u"),
    "served": Base(label="served", id="served"),
}


def made(**keys: object) -> StudyConfig:
    return StudyConfig.model_validate({"name": "made", "base": "b", "ratios": ["0:1"], "cells": ELSEWHERE, **keys})


def test_they_stand_beside_trained_cells_and_are_no_ratio() -> None:
    every = {cell.name: cell for cell in cells(made())}
    assert list(every) == ["base", "0:1", "theirs", "tuned", "served"]
    assert [(cell.origin, cell.trained, cell.compared) for cell in every.values()] == [
        ("", False, False),
        ("", True, True),
        ("adapter", False, True),
        ("model", False, True),
        ("endpoint", False, True),
    ]
    assert {cell.compared_with for cell in every.values()} == {"b"}
    assert every["theirs"].axes == {"base": "b", "origin": "adapter"}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, "is an adapter, a model, or a model at an endpoint"),
        ({"adapter": "a", "model": "m"}, "is an adapter, a model, or a model at an endpoint"),
        ({"endpoint": "http://h", "adapter": "a"}, "an endpoint needs model"),
        ({"name": "b", "model": "m"}, "has the name 'b', which is a base of the study"),
        ({"model": "elsewhere/b"}, "has the name 'b', which is a base of the study"),
        ({"model": "m", "base": "other"}, "names the base 'other', which the study does not have"),
    ],
)
def test_an_entry_is_one_thing(entry: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        made(cells=[entry])


def test_a_folder_without_a_name_is_a_cell_all_the_same() -> None:
    assert [cell.name for cell in cells(made(cells=[{"model": "."}]))][-1] == "."


@pytest.mark.parametrize("change", [{"tokenizer": "other"}, {"positions": 512}, {"base": "c"}, {"model": "m"}])
def test_what_decides_the_numbers_of_a_cell_is_part_of_the_plan(change: dict[str, object]) -> None:
    entry = {"name": "served", "endpoint": "http://host:8000", "model": "served", "tokenizer": "owner/served"}
    same, other = (settings_of(made(bases=["b", "c"], cells=[keys])) for keys in (entry, {**entry, **change}))
    assert {name for name in same if same[name] != other[name]} == {"cells"}


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(MedctxError, match="give cells a name"):
        cells(made(cells=[{"model": "a/x"}, {"model": "b/x"}]))


def test_the_plan_compares_each_with_its_base_and_the_primary_contrast_is_of_a_trained_cell() -> None:
    plan = plan_of(made(), ASKED)
    assert plan is not None
    assert plan.axes["from elsewhere"] == ("theirs", "tuned", "served")
    assert {(contrast.cell, contrast.against) for contrast in plan.family.contrasts} == {
        (cell, "base") for cell in ("0:1", "theirs", "tuned", "served")
    }
    assert plan.primary.cell == "0:1"
    seeds = {"base": [], "0:1": [0], "theirs": [], "tuned": [], "served": []}
    assert list(other_runs(plan, list[ExamCard](), seeds, ["base"])) == []
    without = plan_of(made(cells=[]), ASKED)
    assert without is not None
    assert "cells" in plan.settings and "cells" not in without.settings


def test_a_study_that_trains_nothing_has_a_plan_of_them_too() -> None:
    plan = plan_of(made(ratios=[]), ASKED)
    assert plan is not None
    assert plan.primary.cell == "theirs"


@pytest.mark.parametrize("serving", ["hot", "merged"])
def test_an_adapter_is_examined_with_its_base_and_merged_as_the_others_are(serving: str) -> None:
    config = made(ratios=[])
    tasks = {task.name: task for task in tasks_of(config, cells(config), BASES, serving)}  # type: ignore[arg-type]
    assert ("merge theirs" in tasks) == (serving == "merged")
    exams = [name for name in tasks if name.startswith("exam")]
    assert exams == ["exam b, theirs", "exam tuned", "exam served"]
    if serving == "hot":
        step = tasks["exam b, theirs"].make({})
        entries = {entry["name"]: entry for entry in step.config["models"]}
        assert entries["theirs"]["adapter"] == "/theirs"
        served = tasks["exam served"].make({})
        assert (served.config["engine"], served.config["urls"]) == ("endpoint", ["http://host:8000"])
        assert served.config["tokenizer"] == "owner/served"


def test_results_say_which_weights_they_have() -> None:
    config = made(ratios=[])
    rows = {row.cell.name: row for row in cell_results(cells(config), Results(), {}, {}, BASES)}
    assert (rows["theirs"].weights_kind, rows["theirs"].weights_digest) == ("adapter", "t")
    assert (rows["tuned"].weights_kind, rows["tuned"].weights) == ("model", Path("/tuned"))
    assert (rows["served"].weights_kind, rows["served"].weights) == ("", None)


def test_a_selected_one_is_confirmed_beside_its_base() -> None:
    every = cells(made())
    assert [cell.name for cell in examined_again(every, ["tuned"])] == ["base", "tuned"]
