"""Tasks, jobs and the local executor, with real processes: small console commands that the tests write themselves."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from medctx.config.cli import TRUST_VARIABLE
from study.config.study import ExecutorConfig
from study.workflow.executors.local import GIB, LocalExecutor, Room
from study.workflow.graph import DoneTasks, Results, Setting, Task, run_tasks
from study.workflow.job import ATTEMPTS, LOG, Job, JobEnd, last_progress, run_job
from study.workflow.lineage import Lineage
from study.workflow.steps import Done
from tests.support.made_command import install, step


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a command that is on the PATH."""
    install(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "log"


def task(log: Path, name: str, *needs: str, lenient: bool = False, **options: object) -> Task:
    return Task(name, lambda done: step(log, name, after=sorted(done), **options), needs, lenient)


def carried(tmp_path: Path, tasks: list[Task], **executor: object) -> Results:
    config = ExecutorConfig.model_validate(executor)
    local = LocalExecutor(config)
    try:
        return run_tasks(tasks, Setting(local, Lineage("", "test"), tmp_path / "work", config.retries))
    finally:
        local.close()


def lines(log: Path) -> list[str]:
    return log.read_text().split() if log.is_file() else []


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_needed_comes_first(command: Path, tmp_path: Path, workers: int) -> None:
    tasks = [task(command, "last", "left", "right"), task(command, "left", "first"), task(command, "right", "first")]
    result = carried(tmp_path, [*tasks, task(command, "first")], workers=workers)
    assert not result.failed
    ran = lines(command)
    assert ran[0] == "first" and ran[-1] == "last" and sorted(ran[1:3]) == ["left", "right"]


def test_jobs_that_run_at_a_time_show_how_far_they_are_once(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("study.workflow.graph.PROGRESS_S", 0.2)
    carried(tmp_path, [task(command, name, seconds=2) for name in ("left", "right")], workers=2)
    shown = capsys.readouterr().err
    assert [shown.count(f"{name}: 1/2 steps, 0.5 steps/s, ETA 0:02") for name in ("left", "right")] == [1, 1]


def test_jobs_that_run_at_a_time_share_the_cores_and_one_alone_has_all(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    both = [task(command, name, seconds=1) for name in ("left", "right")]
    result = carried(tmp_path, [*both, task(command, "exam", "left", "right")], workers=2)
    threads = {name: (result.folders[name] / "threads").read_text() for name in ("left", "right", "exam")}
    assert threads["exam"] == ""
    assert "4" in {threads["left"], threads["right"]}


def test_a_log_without_progress_shows_nothing(tmp_path: Path) -> None:
    assert last_progress(tmp_path) == ""
    (tmp_path / LOG).write_bytes(b"mixing: 3 rows, ETA 0:01\nsaved \xff\n")
    assert last_progress(tmp_path) == "mixing: 3 rows, ETA 0:01"
    (tmp_path / LOG).write_text("saved\n" * 2000)
    assert last_progress(tmp_path) == ""


@pytest.mark.parametrize("trusted", ["1", ""])
def test_a_job_knows_on_whatever_machine_that_its_config_is_trusted(
    trusted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUST_VARIABLE, trusted)
    jobs: list[Job] = []

    class Recording(LocalExecutor):
        def submit(self, job: Job) -> Future[JobEnd]:
            jobs.append(job)
            return super().submit(job)

    install(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    executor = Recording(ExecutorConfig())
    run_tasks([task(tmp_path / "log", "one")], Setting(executor, Lineage("", "test"), tmp_path / "work", 0))
    executor.close()
    assert [job.environment.get(TRUST_VARIABLE, "") for job in jobs] == [trusted]


def test_what_is_done_is_not_done_again_and_is_shared_by_studies(command: Path, tmp_path: Path) -> None:
    first = carried(tmp_path, [task(command, "one")])
    again = carried(tmp_path, [task(command, "one"), task(command, "two")])
    assert lines(command) == ["one", "two"]
    assert again.done["one"].folder == first.done["one"].folder


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_that_come_to_the_same_step_do_it_once(command: Path, tmp_path: Path, workers: int) -> None:
    same = [Task(name, lambda done: step(command, "shared", seconds=0.2), ()) for name in ("a", "b", "c")]
    result = carried(tmp_path, same, workers=workers)
    assert lines(command) == ["shared"]
    assert len({done.folder for done in result.done.values()}) == 1 and len(result.done) == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_that_come_to_the_same_failing_step_fail_together(command: Path, tmp_path: Path, workers: int) -> None:
    same = [Task(name, lambda done: step(command, "shared", fails=True), ()) for name in ("a", "b")]
    late = Task("c", lambda done: step(command, "shared", fails=True), ("first",))
    result = carried(tmp_path, [*same, task(command, "first", seconds=0.5), late], workers=workers)
    assert result.failed == dict.fromkeys("abc", "The step was told to fail.")
    assert lines(command).count("shared") == 1


def test_a_failure_stops_only_what_needs_it_and_keeps_its_own_sentence(command: Path, tmp_path: Path) -> None:
    tasks = [
        task(command, "bad", fails=True),
        task(command, "after bad", "bad"),
        task(command, "good"),
        task(command, "exam", "after bad", "good", lenient=True),
    ]
    result = carried(tmp_path, tasks)
    assert result.failed == {"bad": "The step was told to fail.", "after bad": "needs bad, which failed"}
    assert set(result.done) == {"good", "exam"}
    config = (result.done["exam"].folder / "step.yaml").read_text()
    assert "- good" in config and "after bad" not in config


def test_a_task_can_find_that_there_is_nothing_to_do(command: Path, tmp_path: Path) -> None:
    def nothing(done: DoneTasks) -> Done:
        return done["one"]

    result = carried(tmp_path, [task(command, "one"), Task("same", nothing, ("one",))])
    assert result.done["same"] == result.done["one"]
    assert lines(command) == ["one"]


def test_a_killed_command_is_called_again_as_often_as_allowed(command: Path, tmp_path: Path) -> None:
    result = carried(tmp_path, [task(command, "mortal", dies=2), task(command, "doomed", dies=9)], retries=2)
    assert set(result.done) == {"mortal"}
    assert "killed by signal 9" in result.failed["doomed"]
    attempts = [json.loads(line) for line in (result.done["mortal"].folder / ATTEMPTS).read_text().splitlines()]
    assert len(attempts) == 3 and len({attempt["command"] for attempt in attempts}) == 3


def test_several_at_a_time_write_logs_instead_of_talking_all_at_once(command: Path, tmp_path: Path) -> None:
    result = carried(tmp_path, [task(command, "a"), task(command, "b")], workers=2)
    assert all((done.folder / "log.txt").is_file() for done in result.done.values())


def test_two_processes_that_want_one_step_wait_for_each_other(command: Path, tmp_path: Path) -> None:
    made = step(command, "once", seconds=0.5)
    job = Job(
        label="once",
        command=made.command,
        folder=made.folder(tmp_path),
        config=json.dumps(made.config),
    )
    results: list[JobEnd] = []
    threads = [threading.Thread(target=lambda: results.append(run_job(job))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines(command) == ["once"]
    assert sorted(mark.before for mark in results) == [False, True, True]


class _Gate:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside, self.most, self._lock = 0, 0, threading.Lock()

    def pass_through(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.05)
        with self._lock:
            self.inside -= 1


@pytest.mark.parametrize(("total", "expected", "most"), [(4, 1, 4), (4, 2, 2), (4, 4, 1), (4, 9, 1)])
def test_jobs_run_together_as_far_as_their_memory_fits(total: int, expected: int, most: int) -> None:
    room, gate = Room(total * GIB), _Gate()

    def hold_memory() -> None:
        room.enter(expected * GIB, "job")
        gate.pass_through()
        room.leave(expected * GIB)

    threads = [threading.Thread(target=hold_memory) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gate.most == most


class _Interrupted:
    """An executor that is interrupted while it runs its first job."""

    alone = True

    def __init__(self) -> None:
        self.stopped = False

    def submit(self, job: Job) -> Future[JobEnd]:
        raise KeyboardInterrupt

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        """Nothing to close."""


def test_an_interrupted_study_stops_what_runs(command: Path, tmp_path: Path) -> None:
    executor = _Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run_tasks([task(command, "one")], Setting(executor, Lineage("", "test"), tmp_path))
    assert executor.stopped


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def test_stopping_ends_running_commands_and_calls_none_again(command: Path, tmp_path: Path) -> None:
    local = LocalExecutor(ExecutorConfig(workers=2))
    made = step(command, "slow", seconds=60)
    job = Job(
        label="slow",
        command=made.command,
        folder=made.folder(tmp_path),
        config=json.dumps(made.config),
        retries=3,
    )
    future = local.submit(job)
    wait_for((job.folder / "try-0").exists)
    local.stop()
    ended = future.result(timeout=10)
    assert ended.code == -15 and ended.attempts == 1
