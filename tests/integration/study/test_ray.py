"""The Ray executor on a real Ray of two workers."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from medctx.errors import MedctxError
from study.config.study import ExecutorConfig
from study.workflow.executors.ray import STARTS, RayExecutor, start
from study.workflow.graph import Results, Setting, Task, run_tasks
from study.workflow.job import ATTEMPTS
from study.workflow.lineage import Lineage
from study.workflow.steps import Step
from tests.support.made_command import install, step

pytest.importorskip("ray")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "log"


@contextmanager
def on_ray(retries: int) -> Iterator[RayExecutor]:
    """A Ray of this machine with two workers, as a study starts it."""
    executor = RayExecutor(ExecutorConfig(kind="ray", workers=2, retries=retries))
    try:
        yield executor
    finally:
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


def carried(ray: RayExecutor, work: Path, *steps: Step) -> Results:
    tasks = [Task(step.label, lambda done, step=step: step) for step in steps]  # type: ignore[misc]
    return run_tasks(tasks, Setting(ray, Lineage("", "test"), work))


def carried_while_killing(ray: RayExecutor, work: Path, victim: Step, *others: Step) -> tuple[Results, int]:
    """What came of all steps when the worker of the first was killed at its tenth count, and which worker that was."""
    killed: list[int] = []
    killer = threading.Thread(target=kill_worker_when_counted, args=(victim.folder(work), 10, killed))
    killer.start()
    result = carried(ray, work, victim, *others)
    killer.join()
    assert killed, "the worker was killed while it counted"
    return result, killed[0]


def assert_counted_once(folder: Path, counts: int) -> None:
    """Every number was counted, by two processes, and at most the one that was being counted at the kill was twice."""
    steps = [line.split() for line in (folder / "steps").read_text().splitlines()]
    numbers = [int(number) for number, _ in steps]
    assert sorted(set(numbers)) == list(range(counts))
    assert len(numbers) <= counts + 1
    assert len({process for _, process in steps}) == 2


@pytest.mark.slow
def test_a_step_whose_worker_is_killed_is_called_again_and_continues(log: Path, tmp_path: Path) -> None:
    long, other, work = step(log, "long", counts=40), step(log, "other", counts=3), tmp_path / "work"
    with on_ray(retries=2) as ray:
        result, killed = carried_while_killing(ray, work, long, other)
    assert not result.failed
    folder = result.done["long"].folder
    first, second = attempts(folder)
    assert first["worker"] == killed != second["worker"]
    assert_counted_once(folder, 40)
    assert len(attempts(result.done["other"].folder)) == 1


@pytest.mark.slow
def test_a_lost_step_is_named_at_the_end_and_only_it_is_done_by_the_next_run(log: Path, tmp_path: Path) -> None:
    long, other, work = step(log, "long", counts=40), step(log, "other", counts=3), tmp_path / "work"
    with on_ray(retries=0) as ray:
        result, _ = carried_while_killing(ray, work, long, other)
    assert set(result.done) == {"other"}, "the others went on"
    assert "its worker was lost" in result.failed["long"]
    with on_ray(retries=0) as ray:
        again = carried(ray, work, long, other)
    assert not again.failed
    assert_counted_once(again.done["long"].folder, 40)
    assert len(attempts(again.done["other"].folder)) == 1, "what was done is not done again"


class LateRay(ModuleType):
    """Ray on a busy machine: its first starts come to nothing."""

    def __init__(self, late: int) -> None:
        super().__init__("ray")
        self.late, self.calls = late, list[str]()

    def init(self, **options: object) -> None:
        self.calls.append("init")
        if self.calls.count("init") <= self.late:
            raise Exception("The current node timed out during startup.\nMore.")  # as Ray raises it

    def shutdown(self) -> None:
        self.calls.append("shutdown")


@pytest.mark.parametrize("late", range(STARTS))
def test_a_ray_that_is_late_is_started_again(late: int) -> None:
    ray = LateRay(late)
    start(ray, 2, {})
    assert ray.calls == ["init", "shutdown"] * late + ["init"]


def test_a_ray_that_never_starts_is_one_sentence() -> None:
    with pytest.raises(
        MedctxError, match=r"cannot be started on this machine \(The current node timed out .*\); close"
    ):
        start(LateRay(STARTS), 2, {})


@pytest.mark.slow
def test_wanting_more_than_any_machine_has_is_said_at_once() -> None:
    with pytest.raises(MedctxError, match=r"No machine of the Ray cluster has 4 GPUs .* lower executor\.gpus"):
        RayExecutor(ExecutorConfig(kind="ray", workers=1, gpus=4))


def test_an_address_where_nothing_answers_is_one_sentence() -> None:
    with pytest.raises(MedctxError, match=r"The Ray cluster at 127\.0\.0\.1:1 cannot be reached"):
        RayExecutor(ExecutorConfig(kind="ray", address="127.0.0.1:1"))
