from __future__ import annotations

from pathlib import Path

import pytest

from medctx.config import loading as configs
from medctx.errors import MedctxError
from study.config.cells import Cell
from study.config.grid import cells
from study.config.load import STUDIES
from study.config.sections import laid_over, section
from study.config.study import StudyConfig
from study.stages import cell_steps as plan
from study.stages.bases import Base
from study.workflow.steps import Step


def quick(*overrides: str) -> StudyConfig:
    return configs.load(StudyConfig, STUDIES / "quick.yaml", overrides)


def first(config: StudyConfig) -> Cell:
    return next(cell for cell in cells(config) if cell.trained)


def base(folder: Path, digest: str = "b") -> Base:
    return Base(label="base", id="some/model", folder=folder, weights_digest=digest)


def mix_folder(folder: Path, digest: str = "m") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mix.json").write_text(f'{{"digest": "{digest}", "tokens": 1, "dialogues": 1, "domains": []}}')
    return folder


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_study_loads(file: Path) -> None:
    config = configs.load(StudyConfig, file)
    assert config.name == file.stem
    assert cells(config)


def test_every_section_is_understood_by_its_command(tmp_path: Path) -> None:
    """The study hands sections on unread; the commands' own configs must know every key."""
    mix_config = pytest.importorskip("medctx_data.mixture.config")
    eval_config = pytest.importorskip("medctx_eval.run.config")
    report = pytest.importorskip("medctx_eval.report")
    train_config = pytest.importorskip("medctx_train.config")
    for file in STUDIES.glob("*.yaml"):
        config = configs.load(StudyConfig, file)
        eval_config.RunConfig.model_validate(section(config, "exam"))
        report.ReportConfig.model_validate(section(config, "report"))
        for cell in [cell for cell in cells(config) if cell.trained][:1]:
            mix_config.MixConfig.model_validate(plan.mix_step(config, cell, base(tmp_path)).config)
            mixed = mix_folder(tmp_path / "mix")
            train_config.SftConfig.model_validate(plan.train_step(config, cell, base(tmp_path), mixed).config)


def key(config: StudyConfig, folder: Path, *, mix_digest: str = "m", base_digest: str = "b") -> str:
    mixed = mix_folder(folder / f"mix-{mix_digest}", mix_digest)
    return plan.train_step(config, first(config), base(folder, base_digest), mixed).key


def test_a_step_is_named_by_contents_not_by_places(tmp_path: Path) -> None:
    config = quick()
    assert key(config, tmp_path / "here") == key(config, tmp_path / "there")
    assert key(config, tmp_path) != key(config, tmp_path, mix_digest="other")
    assert key(config, tmp_path) != key(config, tmp_path, base_digest="other")
    assert key(config, tmp_path) != key(quick("train.learning_rate=2e-3"), tmp_path)
    assert key(config, tmp_path) == key(quick("report.margin=0.1"), tmp_path)


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
    for content in ("one", "three"):
        file.write_text(content)
        keys.append(plan.mix_step(config, first(config), base(tmp_path)).key)
    assert keys[0] != keys[1]


def test_a_method_lays_its_recipe_over_the_settings_of_all(tmp_path: Path) -> None:
    config = quick("methods=[lora,wide,full]", "recipes={wide: {lora: {rank: 64}}}")
    mixed = mix_folder(tmp_path / "mix")
    told = {
        cell.method: plan.train_step(config, cell, base(tmp_path), mixed).config
        for cell in cells(config)
        if cell.ratio == "1:1"
    }
    assert told["wide"]["lora"] == {"rank": 64, "alpha": 32}
    assert told["full"]["method"] == "full"
    assert told["lora"]["lora"] == {"rank": 16, "alpha": 32}


def test_laying_over_leaves_what_is_below_alone() -> None:
    below = {"a": {"b": 1, "c": 2}, "d": 3}
    assert laid_over(below, {"a": {"b": 9}, "e": 4}) == {"a": {"b": 9, "c": 2}, "d": 3, "e": 4}
    assert below == {"a": {"b": 1, "c": 2}, "d": 3}


def test_weights_of_their_own_are_examined_as_a_model_and_adapters_on_their_base(tmp_path: Path) -> None:
    cell = first(quick())
    own = plan.Weights(kind="model", folder=tmp_path / "model", digest="w")
    adapter = plan.Weights(kind="adapter", folder=tmp_path / "adapter", digest="a")
    on = base(tmp_path / "base")
    whole = plan.examined(cell, on, own, None)
    hot = plan.examined(cell, on, adapter, None)
    merged = plan.examined(cell, on, adapter, tmp_path / "merged")
    assert (whole["folder"], whole["weights_digest"]) == (str(own.folder), "w")
    assert (hot["folder"], hot["adapter"], hot["adapter_digest"]) == (str(on.folder), str(adapter.folder), "a")
    assert (merged["folder"], merged["weights_digest"]) == (str(tmp_path / "merged"), "b")
    assert "adapter" not in merged


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("tokns=3", r"Unknown key 'tokns' .* \(did you mean 'tokens'\?\)"),
        ("ratios=['0:0']", "sums to nothing"),
        ("ratios=['half']", "is not general:medical"),
        ("seeds=[]", "at least 1 item"),
        ("seeds=[1,1]", "names a value twice"),
        ("tokens=0", "greater than or equal to 1"),
        ("repairs=[scaled]", "the repair 'scaled' is no key of arms"),
        ("design=space-filling", "needs cells"),
        ("hours=2 amounts=[100,200]", "give one of them"),
    ],
)
def test_bad_studies_are_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(MedctxError, match=sentence):
        quick(override)
