from __future__ import annotations

from pathlib import Path

import pytest

from medctx.config import loading as configs
from medctx.config.loading import deep_merge
from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.schemas.result import RESULT_FILE, CommandResult, Output
from study.config.cells import StudyCell
from study.config.grid import cells
from study.config.sections import section
from study.config.study import STUDIES, StudyConfig
from study.stages import cell_steps as steps
from study.stages.bases import Base
from study.workflow.steps import Done, Step


def quick(*overrides: str) -> StudyConfig:
    return configs.load(StudyConfig, STUDIES / "quick.yaml", overrides)


def first(config: StudyConfig) -> StudyCell:
    return next(cell for cell in cells(config) if cell.trained)


def base(folder: Path, digest: str = "b") -> Base:
    return Base(label="base", id="some/model", folder=folder, weights_digest=digest)


def mixed_in(folder: Path, digest: str = "m") -> Done:
    step = Step(kind="mix", label="", command=("medctx-data", "mix"), config={}, inputs=())
    return Done(step, folder, CommandResult(outputs=(Output(kind="mix", path=Path(), digest=digest),)))


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_study_loads(file: Path) -> None:
    config = configs.load(StudyConfig, file)
    assert config.name == file.stem
    assert cells(config)
    assert config.data in {None, Path("data")}, "a folder where the study is started"


def test_every_section_is_understood_by_its_command(tmp_path: Path) -> None:
    """The study hands sections on unread; the commands' own configs must know every key."""
    mix_config = pytest.importorskip("medctx_data.mixture.config")
    eval_config = pytest.importorskip("medctx_eval.run.config")
    report = pytest.importorskip("medctx_eval.report.config")
    train_config = pytest.importorskip("medctx_train.config")
    for file in STUDIES.glob("*.yaml"):
        config = configs.load(StudyConfig, file)
        eval_config.RunConfig.model_validate(section(config, "exam"))
        report.ReportConfig.model_validate(section(config, "report"))
        for cell in [cell for cell in cells(config) if cell.trained][:1]:
            mix_config.MixConfig.model_validate(steps.mix_step(config, cell, base(tmp_path)).config)
            mixed = mixed_in(tmp_path / "mix")
            train_config.SftConfig.model_validate(steps.train_step(config, cell, base(tmp_path), mixed).config)


def key(config: StudyConfig, folder: Path, *, mix_digest: str = "m", base_digest: str = "b") -> str:
    mixed = mixed_in(folder / f"mix-{mix_digest}", mix_digest)
    return steps.train_step(config, first(config), base(folder, base_digest), mixed).key


def test_a_step_is_named_by_contents_not_by_places(tmp_path: Path) -> None:
    config = quick()
    assert key(config, tmp_path / "here") == key(config, tmp_path / "there")
    assert key(config, tmp_path) != key(config, tmp_path, mix_digest="other")
    assert key(config, tmp_path) != key(config, tmp_path, base_digest="other")
    assert key(config, tmp_path) != key(quick("train.learning_rate=7e-4"), tmp_path)
    assert key(config, tmp_path) == key(quick("report.max_unreadable=0.1"), tmp_path)


@pytest.mark.parametrize("status", ["finished", "unfinished", "error"])
def test_a_step_is_done_when_it_reported_so(status: str, tmp_path: Path) -> None:
    step = Step(kind="k", label="l", command=("c",), config={}, inputs=())
    assert step.finished(tmp_path) is None
    result = CommandResult.model_validate({"status": status})
    write_record(step.folder(tmp_path) / RESULT_FILE, result)
    assert step.finished(tmp_path) == (result if status == "finished" else None)


def test_changed_source_files_make_another_step(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    config = quick(f"data={tmp_path}", "mix.sources=[{source: alpaca, path: '${data}/a.jsonl'}]")
    keys = []
    for content in ("one", "three"):
        file.write_text(content)
        keys.append(steps.mix_step(config, first(config), base(tmp_path)).key)
    assert keys[0] != keys[1]


def test_another_file_or_exam_may_confirm() -> None:
    confirmed = quick(
        "confirmation.exams=[{exam: openstax, items: b.jsonl}]", "exam.exams=[{exam: openstax, items: a.jsonl}]"
    )
    assert confirmed.confirmation
    assert quick("report.margin=0.05").plan.margin == 0.05, "the same margin twice"


def test_a_method_lays_its_recipe_over_the_settings_of_all(tmp_path: Path) -> None:
    config = quick("methods=[lora,wide,full]", "recipes={wide: {lora: {rank: 64}}}")
    mixed = mixed_in(tmp_path / "mix")
    by_method = {
        cell.method: steps.train_step(config, cell, base(tmp_path), mixed).config
        for cell in cells(config)
        if cell.ratio == "1:1"
    }
    assert by_method["wide"]["lora"] == {"rank": 64, "alpha": 32}
    assert by_method["full"]["method"] == "full"
    assert by_method["lora"]["lora"] == {"rank": 16, "alpha": 32}


def test_laying_over_leaves_what_is_below_alone() -> None:
    below = {"a": {"b": 1, "c": 2}, "d": 3}
    assert deep_merge(below, {"a": {"b": 9}, "e": 4}) == {"a": {"b": 9, "c": 2}, "d": 3, "e": 4}
    assert below == {"a": {"b": 1, "c": 2}, "d": 3}


def test_weights_of_their_own_are_examined_as_a_model_and_adapters_on_their_base(tmp_path: Path) -> None:
    cell = first(quick())
    weights = steps.Weights(kind="model", folder=tmp_path / "model", digest="w")
    adapter = steps.Weights(kind="adapter", folder=tmp_path / "adapter", digest="a")
    on = base(tmp_path / "base")
    whole = steps.exam_model(cell, on, weights, None)
    hot = steps.exam_model(cell, on, adapter, None)
    merged = steps.exam_model(cell, on, adapter, tmp_path / "merged")
    assert (whole["folder"], whole["weights_digest"]) == (str(weights.folder), "w")
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
        ("ratios=['1:1','2:2']", "names a value twice"),
        ("name=../up", "String should match pattern"),
        ("name=..", "String should match pattern"),
        ("name=/abs", "String should match pattern"),
        ('registered_model="a\'b"', "String should match pattern"),
        ("tokens=0", "greater than or equal to 1"),
        ("repairs=[scaled]", "the repair 'scaled' is no key of arms"),
        ("design=space-filling", "needs point_count"),
        ("design=listed", "give points with design: listed"),
        ("points=[{ratio: '1:1'}]", "give points with design: listed"),
        ("sources=[other]", "sources names 'other', which is no key of source_sets; known are: none"),
        ("hours=2 amounts=[100,200]", "give one of them"),
        ("report.margin=0.03", r"plan\.margin is 0\.05 and report\.margin 0\.03; give one of them"),
        ("exam.exams=[phenotypes-facts]", "confirmation asks phenotypes-facts, which exam asks as well"),
        ("confirmation.exams=[{exam: records-reading}]", "confirmation asks records-reading, which exam asks as well"),
        ("confirmation={seed: 1}", "confirmation asks records-reading, which exam asks as well"),
    ],
)
def test_bad_studies_are_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(MedctxError, match=sentence):
        quick(override)


@pytest.mark.parametrize(
    ("overrides", "longest"),
    [
        ((), 512),
        (("train.row_tokens=4096",), 4096),
        (("train.row_tokens=4096", "mix.max_tokens=1024"), 1024),
        (("train.too_long=split",), None),
    ],
)
def test_a_mix_leaves_out_what_its_training_would_refuse(
    overrides: tuple[str, ...], longest: int | None, tmp_path: Path
) -> None:
    config = StudyConfig.model_validate({"name": "own", "ratios": ["1:1"]})
    for override in overrides:
        part, _, setting = override.partition(".")
        name, _, value = setting.partition("=")
        settings = {**section(config, part), name: int(value) if value.isdigit() else value}
        config = config.model_copy(update={part: settings})
    assert steps.mix_step(config, first(config), base(tmp_path)).config.get("max_tokens") == longest


def test_rows_are_as_long_as_training_makes_them() -> None:
    train_config = pytest.importorskip("medctx_train.config")
    assert train_config.SftConfig.model_fields["row_tokens"].default == steps.ROW_TOKENS
