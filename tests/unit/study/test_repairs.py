"""Repaired cells: what an arm stands for, and the steps that make them."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.config import loading as configs
from medctx.errors import MedctxError
from study.config.cells import StudyCell
from study.config.grid import cells
from study.config.study import STUDIES, StudyConfig
from study.stages import repairs
from study.stages.bases import Base
from study.stages.cell_steps import Weights
from study.stages.tasks import tasks_of
from study.workflow.steps import Step

BASE = Base(label="smollm2-135m-instruct", id="some/model", folder=Path("/models/some"), weights_digest="b")


def quick(arm: str, *overrides: str) -> StudyConfig:
    settings = ("ratios=['1:0','0:1']", "repairs=[mended]", f"arms={{mended: {arm}}}")
    return configs.load(StudyConfig, STUDIES / "quick.yaml", ["seeds=[0]", *settings, *overrides])


def repaired(config: StudyConfig, ratio: str = "0:1") -> StudyCell:
    return next(cell for cell in cells(config) if cell.repair and cell.ratio == ratio)


def weights(digest: str, kind: str = "adapter", folder: str = "/work") -> Weights:
    return Weights.model_validate({"kind": kind, "folder": f"{folder}/{digest}", "digest": digest})


def step(arm: str, cell_weights: Weights, **others: Weights) -> Step:
    config = quick(arm)
    return repairs.repair_step(config, repaired(config), BASE, {"cell": cell_weights, **others})


@pytest.mark.parametrize(
    ("arm", "kind", "settings"),
    [
        ("{arm: scale, alpha: 0.5}", "adapter", {"base": "some/model", "adapter": "/work/c"}),
        ("{arm: interpolate, t: 0.5}", "model", {"base": "some/model", "tuned": "/work/c"}),
        ("{arm: restore-qk}", "adapter", {"base": "some/model", "adapter": "/work/c"}),
        ("{arm: combine, adapters: ['${cell}', '${1:0}']}", "adapter", {"adapters": ["/work/c", "/work/g"]}),
        ("{arm: interpolate, t: 0.3, adapter: '${1:0}'}", "adapter", {"adapter": "/work/g"}),
    ],
)
def test_an_arm_mends_the_trained_cell_unless_it_says_otherwise(
    arm: str, kind: str, settings: dict[str, object]
) -> None:
    result = step(arm, weights("c", kind), **{"1:0": weights("g")})
    assert settings.items() <= result.config.items()
    known = pytest.importorskip("medctx_train.repair.config")
    known.ARMS[str(result.config["arm"])].model_validate(result.config)


def test_a_repair_is_named_by_weights_and_settings_not_by_places() -> None:
    half = "{arm: scale, alpha: 0.5}"
    key = step(half, weights("c")).key
    assert key == step(half, weights("c", folder="/elsewhere")).key
    assert key != step(half, weights("other")).key
    assert key != step("{arm: scale, alpha: 0.6}", weights("c")).key
    swapped = [
        step(f"{{arm: combine, adapters: [{pair}]}}", weights("c"), **{"1:0": weights("g")}).key
        for pair in ("'${cell}', '${1:0}'", "'${1:0}', '${cell}'")
    ]
    assert len(set(swapped)) == 2, "which is first decides"


def test_an_arm_may_name_the_cell_that_differs_in_its_ratio_alone() -> None:
    config = quick("{arm: combine, adapters: ['${cell}', '${1:0}']}", "seeds=[0,1]")
    mended = [cell for cell in cells(config) if cell.repair and cell.ratio == "0:1"]
    named = [repairs.repair_sources(config, cell, cells(config)) for cell in mended]
    assert [{name: cell.name for name, cell in group.items()} for group in named] == [
        {"cell": "0:1 seed 0", "1:0": "1:0 seed 0"},
        {"cell": "0:1 seed 1", "1:0": "1:0 seed 1"},
    ]
    unknown = quick("{arm: combine, adapters: ['${1:3}']}")
    with pytest.raises(MedctxError, match=r"names \$\{1:3\}, and there is no cell of that ratio beside 0:1"):
        repairs.repair_sources(unknown, repaired(unknown), cells(unknown))


def test_the_cell_an_arm_names_has_the_same_sources() -> None:
    config = quick(
        "{arm: combine, adapters: ['${cell}', '${1:0}']}", "sources=[a,b]", "source_sets={a: {}, b: {seed: 1}}"
    )
    for cell in [cell for cell in cells(config) if cell.repair]:
        named = repairs.repair_sources(config, cell, cells(config))
        assert {source.sources for source in named.values()} == {cell.sources}


def test_a_retuned_cell_goes_on_with_a_mix_of_the_arm() -> None:
    config = quick("{arm: retune, ratio: '1:0', amount: 5000, learning_rate: 1e-4}")
    cell = repaired(config)
    assert repairs.is_retuned(config, cell)
    onward = repairs.retuning(config, cell)
    assert (onward.ratio, onward.amount, onward.seed) == ("1:0", 5000, cell.seed)
    assert repairs.retuning_settings(config, cell) == {"learning_rate": 1e-4}
    bad = quick("{arm: retune, amount: none}")
    with pytest.raises(MedctxError, match=r"arms\.mended\.amount is 'none', which is no amount"):
        repairs.retuning(bad, repaired(bad))


@pytest.mark.parametrize(
    ("arm", "needs"),
    [
        ("{arm: scale, alpha: 0.5}", {"repair 0:1 mended": ("train 0:1",)}),
        ("{arm: scale, alpha: 0.5, adapter: '${1:0}'}", {"repair 0:1 mended": ("train 0:1", "train 1:0")}),
        (
            "{arm: retune}",
            {
                "merge 0:1 for mended": ("train 0:1",),
                "repair 0:1 mended": ("mix 0:1 mended", "merge 0:1 for mended", "train 0:1"),
            },
        ),
    ],
)
def test_a_repair_waits_for_what_it_is_made_from(arm: str, needs: dict[str, tuple[str, ...]]) -> None:
    config = quick(arm)
    tasks = {task.name: task for task in tasks_of(config, cells(config), {BASE.label: BASE}, "hot")}
    assert {name: tasks[name].needs for name in needs} == needs
    assert "repair 0:1 mended" in tasks["exam"].needs
