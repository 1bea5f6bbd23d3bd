from __future__ import annotations

from pathlib import Path

import pytest

from medctx import config as configs
from medctx.errors import MedctxError
from study import plan
from study.cli import STUDIES
from study.config import StudyConfig
from study.steps import Step


def quick(*overrides: str) -> StudyConfig:
    return configs.load(StudyConfig, STUDIES / "quick.yaml", overrides)


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_study_loads(file: Path) -> None:
    config = configs.load(StudyConfig, file)
    assert config.name == file.stem
    assert plan.cells(config)


def test_every_section_is_understood_by_its_command(tmp_path: Path) -> None:
    """The study hands sections on unread; the commands' own configs must know every key."""
    mix_config = pytest.importorskip("medctx_data.mix_config")
    eval_config = pytest.importorskip("medctx_eval.config")
    report = pytest.importorskip("medctx_eval.report")
    train_config = pytest.importorskip("medctx_train.config")
    for file in STUDIES.glob("*.yaml"):
        config = configs.load(StudyConfig, file)
        cell = plan.cells(config)[0]
        mix_config.MixConfig.model_validate(plan.mix_step(config, cell, tmp_path, "d").config)
        train_config.SftConfig.model_validate(plan.train_step(config, cell, tmp_path, "m", "d").config)
        eval_config.RunConfig.model_validate(plan.section(config, "exam"))
        report.ReportConfig.model_validate(plan.section(config, "report"))


def test_seeds_multiply_cells_and_name_them() -> None:
    assert [cell.name for cell in plan.cells(quick())] == ["1:0", "1:1", "0:1"]
    assert [cell.name for cell in plan.cells(quick("ratios=['1:1'] seeds=[0,1]"))] == ["1:1 seed 0", "1:1 seed 1"]


def key(config: StudyConfig, **inputs: str) -> str:
    given = {"mix_digest": "m", "base_digest": "b", **inputs}
    return plan.train_step(config, plan.cells(config)[0], Path("anywhere"), **given).key


def test_a_step_is_named_by_contents_not_by_places() -> None:
    config = quick()
    cell = plan.cells(config)[0]
    here = plan.train_step(config, cell, Path("here"), "m", "b")
    there = plan.train_step(config, cell, Path("there"), "m", "b")
    assert here.key == there.key
    assert key(config) != key(config, mix_digest="other")
    assert key(config) != key(config, base_digest="other")
    assert key(config) != key(quick("train.learning_rate=2e-3"))
    assert key(config) == key(quick("report.margin=0.1"))


def test_a_step_is_done_when_its_manifest_is_there(tmp_path: Path) -> None:
    step = Step(kind="k", label="l", command=("c",), config={}, inputs=(), manifest="m.json")
    assert not step.done(tmp_path)
    step.folder(tmp_path).mkdir(parents=True)
    (step.folder(tmp_path) / "m.json").touch()
    assert step.done(tmp_path)


def test_changed_source_files_make_another_step(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    config = quick(f"data={tmp_path}", "mix.sources=[{source: alpaca, path: '${data}/a.jsonl'}]")
    keys = []
    for content in ("one", "two"):
        file.write_text(content)
        keys.append(plan.mix_step(config, plan.cells(config)[0], tmp_path, "b").key)
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("tokns=3", r"Unknown key 'tokns' .* \(did you mean 'tokens'\?\)"),
        ("ratios=[]", "needs at least one value"),
        ("seeds=[1,1]", "names a value twice"),
        ("tokens=0", "greater than or equal to 1"),
    ],
)
def test_bad_studies_are_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(MedctxError, match=sentence):
        quick(override)
