"""Weights that were asked a paper are not asked it again under another name, except where they are meant to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx_eval.artifacts import run_folder
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.run import examine as examination
from medctx_eval.run.config import RunConfig
from tests.support.exam_files import write_exam

pytest.importorskip("torch")


@pytest.fixture
def questions_per_call(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many questions were put to the engine, call by call."""
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    counts: list[int] = []
    score = TransformersEngine.score

    def counted(self: TransformersEngine, asks: list[object], book: object) -> object:
        counts.append(len(asks))
        return score(self, asks, book)  # type: ignore[arg-type]

    monkeypatch.setattr(TransformersEngine, "score", counted)
    return counts


def sit(tiny: Path, out: Path, *models: dict[str, object]) -> list[run_folder.RunFolder]:
    exam = {"exam": "file", "items": str(write_exam(out.parent / "items.jsonl")), "conditions": ["closed", "gold"]}
    named = [{"folder": str(tiny), **model} for model in models]
    config = RunConfig.model_validate({"engine": "transformers", "models": named, "exams": [exam]})
    return [run_folder.read_run(folder) for folder in examination.examine(config, out)]


def test_a_renamed_cell_keeps_its_exam(tiny: Path, tmp_path: Path, questions_per_call: list[int]) -> None:
    out = tmp_path / "runs"
    (first,) = sit(tiny, out, {"name": "1:1", "training_seed": 0})
    assert sum(questions_per_call) > 0
    questions_per_call.clear()
    (renamed,) = sit(tiny, out, {"name": "1:1 seed 0", "cell": "1:1", "training_seed": 0})
    assert questions_per_call == []
    assert (renamed.manifest.model, renamed.manifest.cell) == ("1:1 seed 0", "1:1")
    kept = {"model", "cell"}
    assert renamed.manifest.model_dump(exclude=kept) == first.manifest.model_dump(exclude=kept)
    assert renamed.judged == first.judged
    # The first is still what it was, for the study that it belongs to.
    assert sit(tiny, out, {"name": "1:1", "training_seed": 0}) == [first]
    assert questions_per_call == []


def test_a_model_that_is_listed_twice_is_asked_twice(tiny: Path, tmp_path: Path, questions_per_call: list[int]) -> None:
    """What differs between the two is the noise of the exam; a copy would have none."""
    out = tmp_path / "runs"
    sit(tiny, out, {"name": "earlier"})
    once = sum(questions_per_call)
    questions_per_call.clear()
    sit(tiny, out, {"name": "base"}, {"name": "base again", "cell": "base"})
    assert sum(questions_per_call) == 2 * once


def test_another_paper_is_asked(tiny: Path, tmp_path: Path, questions_per_call: list[int]) -> None:
    out = tmp_path / "runs"
    sit(tiny, out, {"name": "one"})
    questions_per_call.clear()
    (tmp_path / "items.jsonl").unlink()
    exam = {"exam": "file", "items": str(write_exam(tmp_path / "items.jsonl", rows=3)), "conditions": ["closed"]}
    models = [{"folder": str(tiny), "name": "two"}]
    examination.examine(RunConfig.model_validate({"engine": "transformers", "models": models, "exams": [exam]}), out)
    assert sum(questions_per_call) > 0
