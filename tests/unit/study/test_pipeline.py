"""What holds a whole study together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.io.jsonl import write_record, write_text
from medctx.schemas.decision import Decision
from medctx.schemas.exam_run import PlannedPart
from medctx.schemas.records import Record
from medctx.schemas.report import REPORT_FILE, Registration, ReportCore
from medctx.schemas.result import RESULT_FILE, CommandResult, Output
from medctx.schemas.study_plan import PLAN_FILE
from medctx.tracking import mlflow_run
from study import pipeline
from study.config.cells import StudyCell
from study.config.grid import cells
from study.config.study import StudyConfig
from study.forecast import budget, training_cost
from study.forecast.budget import Budget
from study.pipeline import only_one, run_pipeline
from study.registration.plan import ExamParts, plan_of
from study.registration.register import register, trained_before
from study.stages import rehearsal
from study.stages.bases import Base
from study.stages.report import Attached, report_config
from study.workflow.lineage import Lineage
from study.workflow.steps import Done, Step

ASKED = ExamParts((PlannedPart(exam="e", condition="gold", axis="reading", items=40, clusters=4),))


def made(**keys: object) -> StudyConfig:
    return StudyConfig.model_validate({"name": "made", "ratios": ["1:0", "0:1"], **keys})


def test_a_study_runs_once_at_a_time_and_different_ones_side_by_side(tmp_path: Path) -> None:
    first, other = tmp_path / "one", tmp_path / "other"
    first.mkdir()
    other.mkdir()
    with (
        only_one(first, "one"),
        only_one(other, "other"),
        pytest.raises(MedctxError, match=r"The study one is running already in .*; wait for it, stop it, or choose"),
        only_one(first, "one"),
    ):
        pass
    with only_one(first, "one"):
        assert list(first.iterdir()) == [], "what the tracker is given has no lock in it"


def test_a_refused_study_leaves_the_finished_one_and_starts_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = made(work=tmp_path, hours=1), made(work=tmp_path, hours=2)
    folder = before.folder
    shares = {1.0: 1000, 2.0: 2000}

    def share_out(config: StudyConfig, *_: object) -> Budget:
        assert config.hours is not None
        return Budget(hours=config.hours, cells=2, amount=shares[config.hours], rates={}, measured=())

    def no_run(*_: object, **__: object) -> None:
        raise AssertionError("a run was started")

    monkeypatch.setattr(budget, "share_out", share_out)
    monkeypatch.setattr(pipeline, "planned", lambda config: plan_of(config, ASKED))
    monkeypatch.setattr(mlflow_run, "run", no_run)
    registered = plan_of(before.model_copy(update={"tokens": 1000}), ASKED)
    assert registered is not None
    register(registered, folder)
    for name in (REPORT_FILE, "study.yaml"):
        write_text(folder / name, "as it was")
    write_record(folder / budget.FILE, share_out(before))
    contents = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(MedctxError, match="under which cells were trained, and this study differs from it in"):
        run_pipeline(after)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == contents
    with pytest.raises(AssertionError, match="a run was started"):
        run_pipeline(before)


def test_cells_trained_before_the_plan_was_registered_are_a_deviation(tmp_path: Path) -> None:
    plan = plan_of(made(), ASKED)
    assert plan is not None
    steps = {name: tmp_path / f"steps/train-{name}" for name in ("early", "late")}
    assert trained_before(tmp_path, steps) == []
    for folder in steps.values():
        write_text(folder / RESULT_FILE, "{}")
    written = register(plan, tmp_path).stat().st_mtime_ns
    for name, moment in (("early", written - 10**6), ("late", written + 10**6)):
        os.utime(steps[name] / RESULT_FILE, ns=(moment, moment))
    assert trained_before(tmp_path, steps) == ["early"]
    keys = report_config(made(report={"deviations": []}), [], Attached(tmp_path / PLAN_FILE, deviations=["early"]))
    assert keys["deviations"] == ["early"], "the study's own keys do not hide it"


def test_an_outage_of_the_store_at_the_end_costs_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow")
    plan = plan_of(made(), ASKED)
    assert plan is not None
    registration = Registration(
        study="made", digest="p", statement="as registered", deviations=(), primary=plan.primary, prediction=None,
        power=plan.power,
    )  # fmt: skip

    def read(path: Path, kind: type[Record]) -> Record:
        if kind is ReportCore:
            return ReportCore.model_construct(registration=registration, cells=(), comparisons=(), scores=())
        return Decision.model_construct(champion="")

    class Dead(mlflow_run.Run):
        def tags(self, values: object) -> None:
            raise OSError("the store is gone")

    monkeypatch.setattr(pipeline, "read_record", read)
    config = made(work=tmp_path)
    lineage = Lineage("", "made")
    monkeypatch.setattr(Lineage, "on", True)
    assert pipeline._track(config, Dead(None, "study", strict=True), lineage, [], {}, {}) == []
    assert "Not all was logged, the MLflow store failed (the store is gone)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"design": "one-at-a-time", "amounts": [10_000, 40_000], "center": {"amount": 40_000, "ratio": "0:1"}}, 3),
        (
            {
                "design": "listed",
                "amounts": [10_000, 40_000],
                "points": [{"amount": 40_000}, {"ratio": "1:0"}, {"ratio": "0:1", "amount": 40_000}],
            },
            3,
        ),
    ],
)
def test_a_rehearsal_has_one_small_amount(keys: dict[str, object], expected: int) -> None:
    small = cells(rehearsal._sample(made(**keys)))
    assert len(small) == expected
    assert {cell.amount for cell in small if cell.trained} == {8_000}


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"ratios": ["1:0", "0:1"]}, {"1:0", "0:1"}),
        ({"ratios": ["1:0", "1:1", "0:1"]}, {"1:1"}),
        ({"ratios": ["1:1", "1:9"], "source_sets": {"a": {}, "b": {}}, "sources": ["a", "b"]}, {"1:1/a", "1:1/b"}),
        ({"ratios": ["1:1"], "wraps": [0.0, 0.5]}, {"1:1/wrap50"}),
        ({"ratios": ["0:1"], "bases": ["x", "y"], "methods": ["lora", "full"]}, {"x lora", "y full"}),
    ],
)
def test_a_rehearsal_opens_all_that_any_cell_reads_with_few_cells(keys: dict[str, object], names: set[str]) -> None:
    trained = [cell for cell in cells(rehearsal._sample(made(**keys))) if cell.trained]
    chosen = rehearsal.cells_to_rehearse(trained)
    opened = [rehearsal._opens(cell) for cell in chosen]
    assert frozenset().union(*opened) == frozenset().union(*map(rehearsal._opens, trained))
    assert len(chosen) == len(names) <= len(trained)


def test_every_set_of_sources_is_opened_and_named_where_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(config: object, cell: StudyCell, *_: object, check: bool) -> None:
        if cell.sources == "b":
            raise MedctxError("There is no file b.jsonl; correct the path.")

    monkeypatch.setattr(rehearsal, "_checked_base", lambda label, name: Base(label=label, id=name))
    monkeypatch.setattr(rehearsal, "_train", train)
    for name in ("_exam", "_report"):
        monkeypatch.setattr(rehearsal, name, lambda *_: rehearsal.Rehearsal())
    study = made(ratios=["1:1"], source_sets={"a": {}, "b": {}}, sources=["a", "b"])
    (problem,) = rehearsal.rehearse(study).problems
    assert problem.startswith("training of ") and "There is no file b.jsonl" in problem


@pytest.mark.parametrize(
    ("ratio", "whole", "amount"),
    [
        ("1:1", 50_000, 8_000),
        ("1:0", 50_000, 8_000),
        ("1:9", 50_000, 40_000),
        ("9:1", 20_000, 20_000),
        ("1:999", 5_000_000, 80_000),
    ],
)
def test_the_smaller_share_of_a_sample_is_as_large_as_in_a_sample_of_equal_shares(
    ratio: str, whole: int, amount: int
) -> None:
    cell = StudyCell(name=ratio, group=ratio, base="b", ratio=ratio, amount=8_000)
    assert rehearsal.sample_of(cell, whole, 8_000).amount == amount


def test_a_share_too_small_in_a_sample_is_tried_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed: list[object] = []

    def called(step: Step, folder: Path, *options: str) -> Done:
        if step.kind == "mix":
            mixed.append(step.config["tokens"])
            if int(str(step.config["tokens"])) < fitting:
                raise MedctxError("The source 'a' gives nothing.")
        elif training_fails:
            raise MedctxError("The model does not fit.")
        return Done(step, folder, CommandResult(outputs=(Output(kind="mix", path=Path(), digest="m"),)))

    monkeypatch.setattr(rehearsal, "_checked_base", lambda label, name: Base(label=label, id=name, folder=Path()))
    monkeypatch.setattr(rehearsal, "_called", called)
    monkeypatch.setattr(rehearsal, "_training_rows", lambda *_: [])
    for name in ("_exam", "_report"):
        monkeypatch.setattr(rehearsal, name, lambda *_: rehearsal.Rehearsal())
    training_fails = False
    study = made(ratios=["1:1"], tokens=30_000)
    fitting = 20_000
    assert (rehearsal.rehearse(study).problems, mixed) == ([], [8_000, 30_000])
    fitting = 40_000
    (problem,) = rehearsal.rehearse(study).problems
    assert "gives nothing" in problem
    mixed.clear()
    fitting, training_fails = 0, True
    (problem,) = rehearsal.rehearse(study).problems
    assert "does not fit" in problem and mixed == [8_000], "the whole is mixed only where the sample is refused"


def many(ratios: int, amounts: int, seeds: int) -> StudyConfig:
    """A study of ratios x amounts x seeds trained cells."""
    return made(
        ratios=[f"{part}:{ratios - part}" for part in range(ratios)],
        amounts=[10_000 + 1_000 * step for step in range(amounts)],
        seeds=list(range(seeds)),
    )


@pytest.mark.parametrize("study", [many(3, 2, 2), many(20, 10, 5)], ids=["12 cells", "1,000 cells"])
def test_a_rehearsal_starts_as_many_commands_for_many_cells_as_for_few(
    study: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, ...]] = []

    def call(arguments: list[str]) -> CommandResult:
        started.append(tuple(arguments[:2]))
        outputs = (Output(kind="model", path=Path()), Output(kind="mix", path=Path(), digest="m"))
        return CommandResult(outputs=outputs)

    monkeypatch.setattr(rehearsal, "call", call)
    monkeypatch.setattr(rehearsal, "_training_rows", lambda *_: [])
    monkeypatch.setattr(rehearsal, "_exam", lambda *_: rehearsal.Rehearsal())
    assert rehearsal.rehearse(study).problems == []
    checks = [("medctx-train", "check")] * 2  # model and data
    expected = [("medctx-train", "base"), ("medctx-data", "mix"), *checks, ("medctx-eval", "report")]
    assert sorted(started) == sorted(expected)


def test_the_sizes_of_a_base_are_read_once_for_all_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def size_of(model: object) -> None:
        asked.append(str(model))

    monkeypatch.setattr(training_cost, "size_of", size_of)
    study = many(20, 10, 5)
    trained = [cell for cell in cells(study) if cell.trained]
    costs = training_cost.cell_costs(study, trained)
    assert (len(costs), len(asked)) == (1_000, 1)
    assert [cost.tokens for cost in costs] == [training_cost.tokens_of(study, cell) for cell in trained]


def test_a_center_off_its_axes_is_a_problem_of_the_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "_checked_base", lambda *_: None)
    for name in ("_exam", "_report"):
        monkeypatch.setattr(rehearsal, name, lambda *_: rehearsal.Rehearsal())
    problems = rehearsal.rehearse(made(design="one-at-a-time", center={"ratio": "7:1"})).problems
    assert len(problems) == 1 and "center.ratio is '7:1'" in problems[0]
