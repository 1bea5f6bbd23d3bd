"""A study's plan: made from its config, kept when cells were trained under it, shown with its power."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.io.jsonl import write_text
from medctx.schemas.exam_run import PlannedPart
from medctx.schemas.report import REPORT_FILE, Registration
from medctx.schemas.statistics import Difference
from medctx.schemas.study_plan import Prediction, StudyPlan
from study.config.study import StudyConfig, load_study
from study.pipeline import moves_aliases
from study.registration.outcome import primary_metrics, primary_sentence
from study.registration.plan import ExamParts, plan_of
from study.registration.register import read_plan, register, short_digest, was_used


def part(condition: str, axis: str, items: int, untaught: int = 0, clusters: int = 4) -> PlannedPart:
    return PlannedPart.model_validate(
        {"exam": "e", "condition": condition, "axis": axis, "items": items, "untaught": untaught, "clusters": clusters}
    )


EXAM = ExamParts(
    (
        part("closed", "knowledge", 40, untaught=20),
        part("gold", "reading", 40),
        part("open:256", "reading", 80),
        part("counterfactual", "faithfulness", 40),
    )
)


def study(**changes: object) -> StudyConfig:
    values: dict[str, object] = {"name": "made", "ratios": ("1:0", "1:1", "0:1"), "seeds": (0, 1)}
    return StudyConfig.model_validate(values | changes)


def plan(**changes: object) -> StudyPlan:
    made = plan_of(study(**changes), EXAM)
    assert made is not None
    return made


def test_the_least_general_cell_is_judged_first_on_reading_and_every_cell_on_both_axes() -> None:
    made = plan()
    assert made.primary.name == "0:1 against base on reading"
    assert made.family.contrasts[0] == made.primary
    assert {contrast.name for contrast in made.family.contrasts} == {
        f"{cell} against base on {axis}" for cell in ("1:0", "1:1", "0:1") for axis in ("knowledge", "reading")
    }
    assert (made.margin, made.training_seeds, made.trained_tokens) == (0.05, (0, 1), 40_000)


def test_conditions_of_an_axis_weigh_alike_unless_the_study_says_otherwise() -> None:
    knowledge, reading = plan().estimands
    assert knowledge.measure == "taught-minus-untaught"
    assert [(part.name, part.weight) for part in reading.parts] == [("e gold", 0.5), ("e open:256", 0.5)]
    (_, chosen) = plan(plan={"weights": {"reading": {"e open:256": 3}}}).estimands
    assert [(part.name, part.weight) for part in chosen.parts] == [("e open:256", 1.0)]
    with pytest.raises(MedctxError, match=r"names 'e open:9', which is not asked on this axis; asked are: e gold, e"):
        plan(plan={"weights": {"reading": {"e open:9": 1}}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"primary": {"cell": "1:9"}}, "'1:9', which is no cell of the plan"),
        ({"prediction": {"low": 0.1, "expected": 0, "high": 0.2, "reason": "x"}}, "does not lie between 0.1 and 0.2"),
    ],
)
def test_a_plan_about_what_the_study_has_not_is_one_sentence(changes: dict[str, object], words: str) -> None:
    with pytest.raises(MedctxError, match=words):
        plan(plan=changes)


def test_nothing_is_registered_where_nothing_is_trained_or_nothing_compared() -> None:
    assert plan_of(study(ratios=()), EXAM) is None
    assert plan_of(study(), ExamParts((part("counterfactual", "faithfulness", 40),))) is None


CHANGES: dict[str, dict[str, object]] = {
    "ratios": {"ratios": ("1:0", "0:1")},
    "seeds": {"seeds": (0, 2)},
    "tokens": {"tokens": 39_000},
    "amounts": {"amounts": (10_000, 40_000)},
    "wraps": {"wraps": (0.0, 0.5)},
    "name": {"name": "other"},
    "margin": {"plan": {"margin": 0.03}},
    "report's margin": {"report": {"margin": 0.04}},
    "error rate": {"plan": {"error_rate": 0.1}},
    "primary": {"plan": {"primary": {"cell": "1:1"}}},
    "family": {"plan": {"contrasts": [{"cell": "0:1"}]}},
    "weights": {"plan": {"weights": {"reading": {"e gold": 1, "e open:256": 2}}}},
    "difference": {"plan": {"difference": 0.05}},
    "power": {"plan": {"power": 0.9}},
    "assumed sd": {"plan": {"item_sd": 0.4}},
    "assumed correlation": {"plan": {"icc": 0.2}},
    "assumed seeds": {"plan": {"seed_sd": 0.03}},
    "prediction": {"plan": {"prediction": {"low": -0.2, "expected": -0.1, "high": 0, "reason": "a look"}}},
    "training": {"train": {"learning_rate": 1e-4}},
    "data": {"mix": {"sources": ["everyday"]}},
    "facts": {"curriculum": {"exposures": 4}},
    "confirmation": {"confirmation": {"exams": []}},
    "scoring mode": {"report": {"mode": "text"}},
    "unreadable answers": {"report": {"max_unreadable": 0.2}},
    "contaminated items": {"report": {"max_contaminated": 0.2}},
    "draws": {"report": {"draws": 200}},
    "base": {"base": "other"},
    "id of a base": {"models": {"smollm2-135m-instruct": {"id": "other/model"}}},
    "stand-in": {"stand_in": "tiny-model"},
    "contamination": {"check_contamination": False},
    "adapters": {"adapters": "merged"},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_each_value_changes_the_digest(changes: dict[str, object]) -> None:
    assert short_digest(plan(**changes)) != short_digest(plan())


@pytest.mark.parametrize(
    "changes",
    [
        {"work": "elsewhere"},
        {"title": "another"},
        {"executor": {"workers": 2}},
        {"registered_model": "m"},
        {"report": {"title": "another", "browser_items": 9, "published": {"source": "a paper"}}},
    ],
)
def test_where_a_study_runs_does_not(changes: dict[str, object]) -> None:
    assert short_digest(plan(**changes)) == short_digest(plan())


def test_the_same_files_elsewhere_are_the_same_plan(tmp_path: Path) -> None:
    digests = []
    for place, content in (("a", "1"), ("b", "1"), ("c", "2")):
        write_text(tmp_path / place / "rows.jsonl", content)
        source = {"source": "alpaca", "path": "${data}/rows.jsonl"}
        digests.append(short_digest(plan(data=tmp_path / place, mix={"sources": [source]})))
    assert digests[0] == digests[1] != digests[2]


def test_the_text_of_the_data_folder_elsewhere_in_a_section_is_part_of_the_plan(tmp_path: Path) -> None:
    """A folder called ``a`` once made ``alpaca`` and ``${data}lpaca`` the same."""
    digests = [short_digest(plan(data="a", mix={"sources": [name]})) for name in ("alpaca", "${data}lpaca")]
    assert digests[0] != digests[1]


def test_more_items_are_another_plan_with_more_power() -> None:
    more = plan_of(study(), ExamParts((*EXAM.parts[:2], part("open:256", "reading", 160, clusters=8))))
    assert more is not None
    assert short_digest(more) != short_digest(plan())
    assert more.power.power > plan().power.power


@settings(max_examples=40, deadline=None)
@given(items=st.integers(4, 300), extra=st.integers(0, 300), difference=st.floats(0.03, 0.4))
def test_power_never_falls_with_items_or_with_the_difference(items: int, extra: int, difference: float) -> None:
    """Of differences above what a seed adds (0.02); below, power is the error rate, which no interval keeps exactly."""

    def power(count: int, points: float) -> float:
        made = plan_of(
            study(plan={"difference": points, "icc": 0}), ExamParts((part("gold", "reading", count, clusters=count),))
        )
        assert made is not None
        return made.power.power

    assert power(items, difference) <= power(items + extra, difference) + 1e-12
    assert power(items, difference) <= power(items, difference * 1.5) + 1e-12


def test_taught_less_untaught_needs_more_items_than_an_accuracy() -> None:
    both = plan(plan={"primary": {"cell": "0:1", "axis": "knowledge"}})
    taught = plan_of(
        study(plan={"primary": {"cell": "0:1", "axis": "knowledge"}}), ExamParts((part("closed", "knowledge", 40),))
    )
    assert taught is not None
    assert taught.power.power > both.power.power


def test_a_plan_under_which_cells_were_trained_is_kept(tmp_path: Path) -> None:
    folder, work = tmp_path / "studies/made", tmp_path
    changed = plan(seeds=(0, 1, 2), train={"learning_rate": 1e-4})
    assert not was_used(folder, work)
    register(plan(), folder)
    assert not was_used(folder, work)
    register(changed, folder, replace=not was_used(folder, work))
    assert read_plan(folder) == changed, "nothing was trained under the first"
    step = tmp_path / "steps/train-1/result.json"
    write_text(step, "{}")
    later = (folder / "plan.json").stat().st_mtime_ns + 1_000_000
    os.utime(step, ns=(later, later))
    assert was_used(folder, work)
    with pytest.raises(MedctxError, match=r"differs from it in training_seeds, power, train; restore .*another `name`"):
        register(plan(), folder, replace=not was_used(folder, work))
    assert read_plan(folder) == changed
    step.unlink()
    write_text(folder / REPORT_FILE, "{}")
    assert was_used(folder, work), "cells of another study may have been used without training"


def test_a_study_with_overridden_keys_is_a_trial_with_a_folder_and_a_name_of_its_own() -> None:
    registered, trial = load_study("quick"), load_study("quick", overrides=["seeds=[0]"])
    assert (registered.trial, trial.trial) == (False, True)
    assert (registered.folder.name, trial.folder.name) == ("quick", "quick-trial")
    assert (registered.registry_name, trial.registry_name) == ("medctx-quick", "medctx-quick-trial")
    assert not load_study("quick", overrides=["work=elsewhere"]).trial
    assert load_study("quick", overrides=["plan.margin=0.2"]).trial, "another margin is no registered study"
    own_model = load_study("quick", overrides=["seeds=[0]", "registered_model=mine"])
    assert own_model.trial, "its folder is that of the study"
    assert load_study("quick", overrides=["seeds=[0]", "name=mine"]).trial, "its registered model is that of the study"
    assert not load_study("quick", overrides=["seeds=[0]", "name=mine", "registered_model=mine"]).trial


def registration(value: float | None, *, deviations: tuple[str, ...] = (), predicted: bool = True) -> Registration:
    """What a report says of a plan, as far as the study reads it."""
    made = plan()
    expected = Prediction(low=-0.1, expected=-0.05, high=0, reason="a look") if predicted else None
    measured = None
    if value is not None:
        measured = Difference.model_construct(value=value, low=value - 0.05, high=value + 0.05)
    return Registration.model_construct(
        study="made",
        digest="p",
        deviations=deviations,
        primary=made.primary,
        prediction=expected,
        difference=measured,
    )


@pytest.mark.parametrize(
    ("registered", "words"),
    [
        (registration(-0.07), "predicted -5.0 [-10.0, +0.0], measured -7.0 [-12.0, -2.0] points, inside the predicted"),
        (registration(-0.2), "points, outside the predicted range"),
        (registration(-0.2, predicted=False), "nothing was predicted, measured -20.0"),
        (registration(None), "not measured"),
    ],
)
def test_the_prediction_stands_beside_the_result(registered: Registration, words: str) -> None:
    assert primary_sentence(registered).startswith("0:1 against base on reading: ")
    assert words in primary_sentence(registered)
    metrics = primary_metrics(registered)
    assert ("primary" in metrics, "primary_predicted" in metrics) == (
        registered.difference is not None,
        registered.prediction is not None,
    )


def test_aliases_move_only_for_a_study_run_and_reported_as_registered() -> None:
    assert moves_aliases(registration(0.0), trial=False)
    assert not moves_aliases(registration(0.0), trial=True)
    assert not moves_aliases(registration(0.0, deviations=("margin 10 instead of 5 points",)), trial=False)
    assert not moves_aliases(None, trial=False)
