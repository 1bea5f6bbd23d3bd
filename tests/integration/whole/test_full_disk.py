"""A disk that is really full, during a run, a mix and a report: one sentence, nothing lost, and the command goes on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx.io.journal import read_journal
from medctx.io.mix_folder import read_dialogues
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.mix import MIX_FILE
from medctx.schemas.records import Reply
from medctx.schemas.report import REPORT_FILE
from medctx_data.cli.main import main as data
from medctx_data.mix_folder import write
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main as evaluation
from tests.support import journalled_runs, scripted_server
from tests.support.exam_files import write_exam

SMALL, LARGE = "224k", "64m"
ROWS = 100
ANSWER = "The answer is B. " + "It was thought over at length and from all sides. " * 60


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 224 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not _mount("-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(place)):
        pytest.skip("only root can mount a small file system to fill")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def enlarge(disk: Path) -> None:
    assert _mount("-o", f"remount,size={LARGE}", str(disk))


def require_sentence(result: Result, disk: Path) -> None:
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    (sentence,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert "The disk is full at" in sentence and str(disk) in sentence, sentence
    assert "the same command continues" in sentence
    assert "Traceback" not in result.output


def test_a_run_keeps_its_answers_and_asks_only_the_rest(disk: Path, tmp_path: Path) -> None:
    exam, out = write_exam(tmp_path / "items.jsonl", ROWS), disk / "out"
    with scripted_server.serve(lambda question: scripted_server.says(scripted_server.completion(ANSWER))) as server:
        arguments = scripted_server.arguments([server.url], exam, out)
        require_sentence(CliRunner().invoke(evaluation, arguments), disk)
        assert not list(out.glob(f"*/{EXAM_FILE}"))
        (journal,) = out.glob(f"*/{run_folder.REPLIES}")
        kept = len(list(read_journal(journal, Reply)))
        assert 0 < kept < ROWS
        asked = len(server.questions)
        require_sentence(CliRunner().invoke(evaluation, arguments), disk)
        enlarge(disk)
        kept = len(list(read_journal(journal, Reply)))
        asked = len(server.questions)
        finished = CliRunner().invoke(evaluation, arguments)
        assert finished.exit_code == 0, finished.output
        assert len(server.questions) - asked == ROWS - kept
    assert CliRunner().invoke(evaluation, ["verify", str(journal.parent)]).exit_code == 0


@pytest.mark.parametrize("full", ["before", "meanwhile", "cache"])
def test_a_mix_is_whole_or_not_there(
    full: str, disk: Path, alphabet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.jsonl"
    texts = [{"instruction": f"question {n}", "output": f"answer {n} " + "and more of it " * 40} for n in range(600)]
    rows.write_text("".join(json.dumps(row) + "\n" for row in texts))
    out = (tmp_path if full == "cache" else disk) / "out"
    if full == "cache":
        monkeypatch.setenv("MEDCTX_CACHE", str(disk / "cache"))
    if full == "meanwhile":
        monkeypatch.setattr(write, "require_space", lambda *_: None)
    source = f"{{source: file, path: '{rows}', domain: medical, name: med, amount: all}}"
    keys = [f"tokenizer={alphabet}", "processes=1", f"sources=[{source}]"]
    arguments = ["mix", *(part for key in keys for part in ("--set", key)), "--out", str(out)]
    refused = CliRunner().invoke(data, arguments)
    if full == "cache" and refused.exit_code == 0:
        assert len(list(read_dialogues(out))) == len(texts), "what is not kept for later is no error"
        return
    if full == "before":
        assert refused.exit_code == 2 and "are needed; free some space" in refused.stderr
    else:
        require_sentence(refused, disk)
    assert not (out / MIX_FILE).exists()
    enlarge(disk)
    finished = CliRunner().invoke(data, arguments)
    assert finished.exit_code == 0, finished.output
    assert len(list(read_dialogues(out))) == len(texts)


def test_a_report_leaves_its_runs_and_is_written_again(disk: Path, tmp_path: Path) -> None:
    runs = journalled_runs.write(tmp_path / "runs", ("base", "1:1-0"))
    before = {file: file.read_bytes() for folder in runs for file in folder.iterdir()}
    out = disk / "report"
    arguments = ["report", *map(str, runs), "--set", "draws=200", "--out", str(out)]
    require_sentence(CliRunner().invoke(evaluation, arguments), disk)
    assert {file: file.read_bytes() for folder in runs for file in folder.iterdir()} == before
    checked = CliRunner().invoke(evaluation, ["verify", str(out)])
    assert checked.exit_code == 2 and isinstance(checked.exception, SystemExit)
    enlarge(disk)
    finished = CliRunner().invoke(evaluation, arguments)
    assert finished.exit_code == 0, finished.output
    assert (out / REPORT_FILE).is_file()
    assert CliRunner().invoke(evaluation, ["verify", str(out)]).exit_code == 0
