"""A study that ends with the composition it recommends. Runs of cells are stood in for by made reports of the real
form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medctx.errors import MedctxError
from study import recommendation as recommended
from study.config.study import StudyConfig
from study.law.recommend.records import ForecastCheck, Recommendation
from study.recommendation import run_recommended
from study.stages.records import Outcome, StudySummary
from tests.support.law_studies import write

FEW = ("1:0", "1:1", "1:4", "0:1")


class Runs:
    """Takes the place of a study's run: writes its report, and remembers the ratios it was asked for."""

    def __init__(self, dies_after: int = 99) -> None:
        self.ratios_run: list[tuple[str, ...]] = []
        self.confirmed: list[tuple[bool, tuple[str, ...]]] = []
        self.dies_after = dies_after

    def __call__(self, config: StudyConfig, *, follows: bool = False, confirm: Sequence[str] = ()) -> Outcome:
        if len(self.ratios_run) >= self.dies_after:
            raise KeyboardInterrupt
        self.ratios_run.append(config.ratios)
        self.confirmed.append((follows, tuple(confirm)))
        folder = write(config.work / "studies" / config.name, config.ratios, len(config.seeds))
        return Outcome(folder, "", (), StudySummary(study=config.name, title="", cells=()))


@pytest.fixture
def config(tmp_path: Path) -> StudyConfig:
    return StudyConfig(name="made", ratios=FEW, seeds=(0, 1), work=tmp_path)


def test_the_recommended_composition_is_run_as_a_cell_and_its_forecast_checked(config: StudyConfig) -> None:
    runs = Runs()
    result = run_recommended(config, runs)
    ratio = result.recommendation.ratio
    assert ratio not in FEW
    assert runs.ratios_run == [FEW, (*FEW, ratio)]
    assert runs.confirmed == [(False, ()), (True, (ratio,))], "under the plan of the first, measured again"
    assert result.recommendation.options.seeds == 2
    assert result.check is not None and result.check.cell == ratio
    folder = result.outcome.folder
    assert Recommendation.model_validate_json((folder / "recommendation.json").read_text()) == result.recommendation
    assert ForecastCheck.model_validate_json((folder / "recommendation_check.json").read_text()) == result.check
    page = (folder / "law.md").read_text()
    assert result.check.sentence in page and result.recommendation.sentence in page
    assert "![recommendation.png](recommendation.png)" in page


def test_a_killed_study_goes_on_with_the_forecast_it_made(config: StudyConfig) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_recommended(config, Runs(dies_after=1))
    file = config.work / "studies" / "made" / "recommendation.json"
    before = file.read_bytes()
    runs = Runs()
    result = run_recommended(config, runs)
    assert file.read_bytes() == before
    assert runs.ratios_run == [(*FEW, result.recommendation.ratio)]
    assert run_recommended(config, runs).check == result.check


def test_another_study_of_the_same_name_makes_its_own_forecast(config: StudyConfig) -> None:
    first = run_recommended(config, Runs()).recommendation
    runs = Runs()
    again = run_recommended(config.model_copy(update={"ratios": FEW[1:]}), runs).recommendation
    assert runs.ratios_run[0] == FEW[1:]
    assert again.config != first.config


def test_a_composition_that_is_a_cell_already_is_not_added_again(
    config: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the cell stands at an amount that the recommendation is not for, and so repeats none."""
    real = recommended.publish.publish_recommendation

    def recommend(*args: Any, **options: Any) -> Recommendation:
        return real(*args, **options).model_copy(update={"ratio": "2:8", "repeats": ""})

    monkeypatch.setattr(recommended.publish, "publish_recommendation", recommend)
    runs = Runs()
    assert run_recommended(config, runs).check is None
    assert runs.ratios_run == [FEW]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"ratios": ("1:0", "0:1")}, r"trains 2 compositions and a recommendation needs 3; give more ratios"),
        ({"ratios": ("1:1", "2:2", "0:1")}, r"trains 2 compositions"),
        ({"ratios": ()}, r"trains 0 compositions"),
        (
            {"design": "listed", "points": ({"ratio": "1:0"}, {"ratio": "1:1"}, {"ratio": "0:1"})},
            r"A listed design has no point at the recommended ratio",
        ),
        (
            {"design": "space-filling", "point_count": 3},
            r"would choose other cells once the recommended ratio is added",
        ),
    ],
)
def test_what_cannot_be_recommended_from_is_said_before_anything_runs(
    keys: dict[str, object], sentence: str, config: StudyConfig
) -> None:
    runs = Runs()
    with pytest.raises(MedctxError, match=sentence):
        run_recommended(config.model_copy(update=keys), runs)
    assert runs.ratios_run == []
