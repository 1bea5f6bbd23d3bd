"""Files of an exam that a study wrote down on another machine: found here by name, and only with the same bytes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.io import digest
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from tests.support.exam_files import ROWS, write_exam


def built(stated: str, sha256: str) -> Exam:
    config = ExamConfig.model_validate({"exam": "file", "name": "own", "path": stated, "digests": {"path": sha256}})
    return registry.build_exam(config, CurriculumConfig(), 0)


@pytest.mark.parametrize("place", ["data/own.jsonl", "own.jsonl"], ids=["at its path", "in the current folder"])
def test_a_file_is_found_at_its_path_or_in_the_current_folder(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    file = write_exam(Path(place))
    assert built("data/own.jsonl", digest.of_file(file)).card.items == ROWS


def test_a_missing_file_is_named_with_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MedctxError, match=r"asks own.jsonl \(SHA-256 abc123\).*put it at data/own.jsonl or into the"):
        built("data/own.jsonl", "abc123")


def test_another_file_of_the_same_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_exam(Path("own.jsonl"))
    asked = digest.of_file(file)
    write_exam(file, ROWS + 1)
    with pytest.raises(MedctxError, match=re.escape(f"is {digest.of_file(file)}, not {asked}")):
        built("data/own.jsonl", asked)


def test_a_folder_of_files_has_one_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    write_exam(Path("folder/own.jsonl"))
    config = ExamConfig.model_validate({"exam": "medqa", "path": "folder", "digests": {"path": "0" * 64}})
    with pytest.raises(MedctxError, match=digest.of_folder(Path("folder"))):
        registry.build_exam(config, CurriculumConfig(), 0)
