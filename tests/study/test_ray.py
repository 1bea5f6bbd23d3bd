"""The Ray executor on a real Ray of two workers."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from study.config import ExecutorConfig
from study.executors.ray import RayExecutor
from study.graph import Run, Task, carry_out
from study.job import ATTEMPTS
from study.lineage import Lineage
from tests.study.made_command import install, step

pytest.importorskip("ray")

pytestmark = pytest.mark.slow


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "log"


@pytest.fixture
def ray(log: Path) -> Iterator[RayExecutor]:
    executor = RayExecutor(ExecutorConfig(kind="ray", workers=2, retries=2))
    yield executor
    executor.close()


def attempts(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / ATTEMPTS).read_text().splitlines()]


def kill_worker_when_counted(folder: Path, least: int, killed: list[int]) -> None:
    """SIGKILL the Ray worker that runs the step in a folder once its command has counted far enough."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        counted = folder / "counted"
        if counted.exists() and int(counted.read_text() or 0) >= least:
            worker = int(str(attempts(folder)[-1]["worker"]))
            killed.append(worker)
            os.kill(worker, signal.SIGKILL)
            return
        time.sleep(0.02)


def test_a_step_whose_worker_is_killed_is_called_again_and_continues(
    ray: RayExecutor, log: Path, tmp_path: Path
) -> None:
    long, other = step(log, "long", counts=40), step(log, "other", counts=3)
    work = tmp_path / "work"
    killed: list[int] = []
    killer = threading.Thread(target=kill_worker_when_counted, args=(long.folder(work), 10, killed))
    killer.start()
    tasks = [Task("long", lambda done: long), Task("other", lambda done: other)]
    found = carry_out(tasks, Run(ray, Lineage("", "test"), work))
    killer.join()
    assert killed and not found.failed
    folder = found.done["long"].folder
    first, second = attempts(folder)
    assert first["worker"] == killed[0] != second["worker"]
    steps = [line.split() for line in (folder / "steps").read_text().splitlines()]
    numbers = [int(number) for number, _ in steps]
    assert sorted(set(numbers)) == list(range(40)), "every step was made"
    assert len(numbers) <= 41, "and what was counted was not made again"
    assert len({process for _, process in steps}) == 2
    assert len(attempts(found.done["other"].folder)) == 1


def test_wanting_more_than_any_machine_has_is_said_at_once() -> None:
    with pytest.raises(MedctxError, match=r"No machine of the Ray cluster has 4 GPUs .* lower executor\.gpus"):
        RayExecutor(ExecutorConfig(kind="ray", workers=1, gpus=4))


def test_an_address_where_nothing_answers_is_one_sentence() -> None:
    with pytest.raises(MedctxError, match=r"The Ray cluster at 127\.0\.0\.1:1 cannot be reached"):
        RayExecutor(ExecutorConfig(kind="ray", address="127.0.0.1:1"))
