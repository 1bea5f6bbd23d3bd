"""Selected cells are examined again: their bases with them, and what they are repaired from is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from medctx.schemas.result import CommandResult, Output
from study.config.cells import StudyCell
from study.config.grid import cells
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.confirmation import Confirmation, confirm
from study.stages.tasks import tasks_of
from study.workflow.graph import Results, Task

EXAM = {"exams": [{"exam": "records-reading", "half": "confirmation"}]}


def study(**keys: object) -> StudyConfig:
    return StudyConfig.model_validate({"name": "made", "ratios": ["1:0", "0:1"], "confirmation": EXAM, **keys})


def bases(*labels: str) -> dict[str, Base]:
    return {
        label: Base(label=label, id=label, folder=Path("/models") / label, weights_digest=label) for label in labels
    }


class Ran:
    """Stands for the run of tasks: keeps them and reports an exam of the given models."""

    def __init__(self, models: Iterable[str], failed: dict[str, str] | None = None, **keys: object) -> None:
        self.keys = keys
        self.result = CommandResult(
            outputs=tuple(Output(kind="exam-run", path=Path(name), name=name) for name in models)
        )
        self.failed = failed or {}
        self.tasks: list[Task] = []

    def examine(self, config: StudyConfig, used: Mapping[str, Base], examined: Sequence[StudyCell]) -> Results:
        self.tasks = tasks_of(config, cells(study(**self.keys)), used, "hot", examined)
        exams = [task.name for task in self.tasks if task.name.startswith("exam")]
        return Results(
            failed=self.failed, reported=dict.fromkeys(exams, self.result), folders=dict.fromkeys(exams, Path("/steps"))
        )

    def confirmed(self, group: str) -> Confirmation:
        config = study(**self.keys)
        return confirm(config, cells(config), bases(*config.labels), [group], self.examine)


def test_a_repaired_champion_is_confirmed() -> None:
    arms = {"both": {"arm": "combine", "adapters": ["${cell}", "${1:0}"]}}
    ran = Ran(["base", "0:1 both"], repairs=["both"], arms=arms)
    result = ran.confirmed("0:1 both")
    tasks = {task.name: task for task in ran.tasks}
    assert set(tasks) == {"mix 0:1", "train 0:1", "mix 1:0", "train 1:0", "repair 0:1 both", "exam"}
    assert tasks["exam"].needs == ("repair 0:1 both",)
    assert result == Confirmation((Path("/steps/base"), Path("/steps/0:1 both")))


def test_with_several_bases_that_of_the_champion_alone_is_examined() -> None:
    ran = Ran(["7B", "7B 0:1"], bases=["7B", "14B"])
    result = ran.confirmed("7B 0:1")
    assert [task.name for task in ran.tasks] == ["mix 7B 0:1", "train 7B 0:1", "exam"]
    assert result.missing == {} and len(result.runs) == 2


def test_what_was_not_confirmed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    result = Ran(["base"], {"exam": "the server ended"}).confirmed("0:1")
    assert result == Confirmation((Path("/steps/base"),), {"0:1": "the server ended"})
    assert "0:1 was not confirmed: the server ended" in capsys.readouterr().err


def test_nothing_is_confirmed_without_an_exam_or_a_champion() -> None:
    assert Ran([], confirmation={}).confirmed("0:1") == Confirmation()
    assert Ran([]).confirmed("") == Confirmation()
