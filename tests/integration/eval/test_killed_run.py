"""A real exam process, killed at random moments and started again, ends with the file of a straight run."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from medctx.facts.curriculum import CurriculumConfig
from medctx.io.jsonl import read_records
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.records import Reply
from medctx_eval.artifacts import run_folder
from medctx_eval.demo.rule_models import RuleReader, reader
from medctx_eval.demo.server import DemoServer, serve
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from tests.support import forked

ITEMS = 40


class Slow(RuleReader):
    """Takes its time, so that a kill has something to interrupt."""

    def answer(self, model: str, content: str) -> str:
        time.sleep(0.02)
        return super().answer(model, content)


@pytest.fixture
def slow() -> Slow:
    exam = registry.build_exam(ExamConfig(exam="needle", limit=ITEMS), CurriculumConfig(), 0)
    result = Slow(exam, {})
    plain = reader(exam)
    result.rule_models.update(plain.rule_models)
    return result


def start(server: DemoServer, out: Path) -> BaseProcess:
    exam = f"exams=[{{exam: needle, limit: {ITEMS}, conditions: [closed, gold, 'open:2048', distractor]}}]"
    command = ["medctx-eval", "run", "--endpoint", server.url, "--model", "forgetful"]
    settings = ["tokenizer=bytes", "mode=letter", "modes=[generate]", "orders=2", "concurrency=4", exam]
    command += [part for setting in settings for part in ("--set", setting)]
    return forked.start([*command, "--out", str(out)], environment={**os.environ, "MEDCTX_TRACKING": "off"})


def straight(server: DemoServer, out: Path) -> Path:
    process = start(server, out)
    process.join(600)
    assert process.exitcode == 0
    (manifest,) = out.glob(f"*/{EXAM_FILE}")
    return manifest.parent


def answers(out: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in out.glob(f"*/{run_folder.REPLIES}"))


def killed(server: DemoServer, out: Path, reached: int, later_s: float) -> bool:
    """Kill a run a moment after so many answers are on the disk; whether it was still running."""
    process = start(server, out)
    while process.is_alive() and answers(out) < reached:
        time.sleep(0.01)
    time.sleep(later_s)
    running = process.is_alive()
    process.kill()
    process.join()
    return running


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_kills_change_nothing_in_the_result(slow: Slow, tmp_path: Path, kills: int) -> None:
    chance = random.Random(0)
    with serve(slow) as server:
        whole = straight(server, tmp_path / "straight")
        torn = tmp_path / "torn"
        moments = sorted(chance.sample(range(1, answers(tmp_path / "straight") - 40), kills))
        interrupted = sum(killed(server, torn, moment, chance.uniform(0, 0.1)) for moment in moments)
        folder = straight(server, torn)
    assert interrupted >= kills * 0.8 - 0.5, "the exam was over before it could be killed"
    for name in (run_folder.VERDICTS, run_folder.REPLIES):
        assert (whole / name).is_file()
    assert (folder / run_folder.VERDICTS).read_bytes() == (whole / run_folder.VERDICTS).read_bytes()
    keys = Counter(reply.key for reply in read_records(folder / run_folder.REPLIES, Reply))
    assert set(keys.values()) == {1}, "an answer was asked for twice"
    expected = {reply.key for reply in read_records(whole / run_folder.REPLIES, Reply)}
    assert set(keys) == expected
