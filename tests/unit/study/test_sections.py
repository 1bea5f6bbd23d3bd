"""The contents of every file a section names are part of its digest, however it names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from medctx.io.jsonl import write_text
from medctx.schemas.result import CommandResult, Output
from study.config.grid import cells
from study.config.sections import file_digests
from study.config.study import BaseConfig, StudyConfig
from study.forecast.model_sizes import size_of
from study.stages import cell_steps, repairs
from study.stages.bases import Base
from study.workflow.steps import Done, Step

WAYS: dict[str, JsonValue] = {
    "source": {"sources": ["rows.jsonl"]},
    "one source": {"sources": "rows.jsonl"},
    "entry": {"sources": [{"source": "rows.jsonl"}]},
    "path": {"sources": [{"source": "alpaca", "path": "rows.jsonl"}]},
    "paths": {"sources": [{"path": ["other.jsonl", "rows.jsonl"]}]},
    "pattern": {"sources": ["deep/*.jsonl"]},
    "folders": {"sources": [{"path": "**/*.jsonl"}]},
    "folder": {"sources": ["./deep"]},
    "exam": {"exams": [{"exam": "rows.jsonl"}]},
    "exam's name": {"exams": ["rows.jsonl"]},
    "items": {"exams": [{"exam": "openstax", "items": "rows.jsonl"}]},
    "passages": {"exams": [{"passages": "deep/rows.jsonl"}]},
    "mix": {"replay": {"mix": "deep"}},
    "adapter": {"start_adapter": "deep"},
    "probe": {"probe": {"items": "rows.jsonl"}},
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("rows.jsonl", "other.jsonl", "deep/rows.jsonl", "everyday/rows.jsonl"):
        write_text(tmp_path / name, "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("section", WAYS.values(), ids=WAYS)
def test_a_changed_file_changes_the_digests(section: JsonValue, files: Path) -> None:
    before = file_digests(section)
    assert before and before == file_digests(section)
    for name in ("rows.jsonl", "deep/rows.jsonl"):
        write_text(files / name, "22")
    assert file_digests(section) != before


def test_the_files_of_a_pattern_are_sorted_and_names_are_no_files(files: Path) -> None:
    assert len(file_digests({"sources": ["*.jsonl"]})) == 2
    assert file_digests({"sources": ["*.jsonl"]}) == file_digests({"path": ["other.jsonl", "rows.jsonl"]})
    assert file_digests({"sources": ["everyday", "missing.jsonl", {"source": "everyday"}]}) == []
    assert file_digests({"title": "rows.jsonl", "exams": [{"exam": "everyday"}]}) == []


def made(**keys: object) -> StudyConfig:
    return StudyConfig.model_validate({"name": "made", "ratios": ["1:0", "0:1"], **keys})


@pytest.mark.parametrize(
    "train", [{"replay": {"mix": "deep"}}, {"start_adapter": "deep"}, {"probe": {"items": "deep/rows.jsonl"}}]
)
def test_training_is_another_step_where_a_file_it_reads_was_changed(train: dict[str, object], files: Path) -> None:
    base = Base(label="base", id="some/model", folder=files, weights_digest="b")
    mixed = Done(
        Step(kind="mix", label="", command=("medctx-data", "mix"), config={}, inputs=()),
        files,
        CommandResult(outputs=(Output(kind="mix", path=Path(), digest="m"),)),
    )
    config = made(train=train)
    keys = []
    for content in ("1", "22"):
        write_text(files / "deep/rows.jsonl", content)
        keys.append(cell_steps.train_step(config, cells(config)[1], base, mixed).key)
    assert keys[0] != keys[1]


def test_a_repair_is_another_step_where_an_adapter_it_names_was_changed(files: Path) -> None:
    base = Base(label="base", id="some/model", folder=files, weights_digest="b")
    config = made(repairs=["both"], arms={"both": {"arm": "combine", "adapters": ["${cell}", "deep"]}})
    cell = next(cell for cell in cells(config) if cell.repair)
    weights = cell_steps.Weights(kind="adapter", folder=files / "w", digest="w")
    keys = []
    for content in ("1", "22"):
        write_text(files / "deep/rows.jsonl", content)
        keys.append(repairs.repair_step(config, cell, base, {"cell": weights}).key)
    assert keys[0] != keys[1]


def test_the_id_of_a_model_may_lie_in_the_data_folder_and_the_plan_names_no_folder(tmp_path: Path) -> None:
    values = {"name": "own", "base": "mini", "models": {"mini": {"id": "${data}/mini"}}, "ratios": ("0:1",)}
    study = StudyConfig.model_validate(values | {"data": tmp_path})
    assert study.model("mini").id == f"{tmp_path}/mini"
    assert study.stated_model("mini").id == "${data}/mini"
    assert StudyConfig.model_validate(values).model("mini").id == "${data}/mini"


@pytest.mark.parametrize("name", ["${data}/mini", "a b/c", "-a/b", "a/b.."])
def test_the_sizes_of_a_model_with_an_impossible_name_are_not_known(name: str) -> None:
    assert size_of(BaseConfig(id=name)) is None
