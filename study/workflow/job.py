"""One call of a console command, on this machine or on another one.

A job holds its folder by a lock that its command inherits: whoever is killed, nobody else works in the folder as long
as the command lives, and two studies that want the same step wait for each other.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from pydantic import Field

from medctx.io.journal import Journal
from medctx.io.jsonl import write_text
from medctx.process.progress import say
from medctx.schemas.records import Record
from medctx.schemas.result import CommandResult
from study.workflow.commands import parse_result, tethered
from study.workflow.lineage import ChildRun, child_run
from study.workflow.steps import CONFIG, finished_result

ATTEMPTS, LOCK, LOG = "attempts.jsonl", ".lock", "log.txt"
STOP_S = 30.0
_TAIL_BYTES = 4096
ASKED_TO_STOP = (-signal.SIGTERM, -signal.SIGINT)

Started = Callable[["subprocess.Popen[str]"], None]


def last_progress(folder: Path) -> str:
    """Return the last line of a job's log that says how far it is; "" without one."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = log.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if ", ETA " in line), "")


class Job(Record):
    """What to call and where.

    Attributes:
        label: Shown to people.
        command: Called with ``--config`` and ``--out``.
        folder: Of its output.
        config: Text of its config file.
        reused: Whether a result that lies in the folder ends the job.
        child: Its MLflow run; None: it logs nothing.
        environment: Added to the process's own.
        place: Folder that relative paths in the config start from; None: the process's own.
        logged: Whether stderr goes to a file in the folder instead of the screen.
        retries: How often a killed command is called again.
        memory: Estimated peak memory in bytes.
        heavy: Whether it computes with the model.
    """

    label: str
    command: tuple[str, ...]
    folder: Path
    config: str
    reused: bool = True
    child: ChildRun | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    place: Path | None = None
    logged: bool = False
    retries: int = 0
    memory: int = 0
    heavy: bool = False


class Attempt(Record):
    """One call: when, on which machine, by which process."""

    begun: str
    host: str
    worker: int
    command: int


class JobEnd(Record):
    """How a job ended.

    Attributes:
        code: Exit code; negative: the signal that killed it.
        result: What its command reported; None where it ended before it could.
        reason: Why it failed.
        attempts: How often the command was called.
        seconds: Time of all attempts.
        before: Whether it was done when its turn came.
    """

    code: int = 0
    result: CommandResult | None = None
    reason: str = ""
    attempts: int = 0
    seconds: float = 0.0
    before: bool = False


class Executor(Protocol):
    """Takes jobs that may all run at once and runs as many of them as there is room for."""

    @property
    def alone(self) -> bool:
        """Whether jobs run one after the other on this machine, so that their progress can be shown as it is."""

    def submit(self, job: Job) -> Future[JobEnd]:
        """Queue a job; its future holds how it ended."""

    def stop(self) -> None:
        """End the running jobs: the study is interrupted."""

    def close(self) -> None:
        """Free what the executor holds; no job comes any more."""


@contextmanager
def _held(folder: Path, label: str) -> Iterator[int]:
    """Hold the folder of a step; yields the descriptor that holds it."""
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"{label}: another process works on it ({folder}); waiting.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _called(
    job: Job, lock: int, stderr: IO[str] | None, tracking: Mapping[str, str], started: Started
) -> tuple[int, CommandResult | None]:
    """Exit code and result of one call."""
    arguments = [*job.command, "--config", str(job.folder / CONFIG), "--out", str(job.folder), "--json"]
    process = subprocess.Popen(
        tethered(arguments),
        stdout=subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=job.place,
        pass_fds=(lock,),
        env={**os.environ, **job.environment, **tracking},
    )
    with Journal(job.folder / ATTEMPTS, Attempt) as journal:
        begun = datetime.now(UTC).isoformat(timespec="milliseconds")
        journal.append(Attempt(begun=begun, host=socket.gethostname(), worker=os.getpid(), command=process.pid))
    started(process)
    try:
        stdout, _ = process.communicate()
    except BaseException:
        _stop(process)
        raise
    return process.returncode, parse_result(stdout)


def _reason(job: Job, code: int, result: CommandResult | None) -> str:
    """Why a command failed: its own sentence where it left one."""
    if code > 0 and result is not None and result.message:
        return result.message
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    where = f"; its last messages are in {job.folder / LOG}" if job.logged else "; see its message above"
    return f"'{' '.join(job.command)}' {how}{where}"


def run_job(job: Job, started: Started = lambda process: None) -> JobEnd:
    """Run a job to its end, called again where its process was killed. Never raises for a command that fails."""
    job.folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with _held(job.folder, job.label) as lock:
        done = finished_result(job.folder) if job.reused else None
        if done is not None:
            return JobEnd(before=True, result=done)
        if job.reused and (job.folder / ATTEMPTS).is_file():
            say(f"{job.label}: was started before and did not end; it continues in {job.folder}.")
        write_text(job.folder / CONFIG, job.config)
        attempts, code = 0, -1
        result: CommandResult | None = None
        with child_run(job.child) as tracking:
            while code < 0 and code not in ASKED_TO_STOP and attempts <= job.retries:
                if attempts:
                    say(f"{job.label}: killed by signal {-code}; called again ({attempts} of {job.retries}).")
                attempts += 1
                if job.logged:
                    with (job.folder / LOG).open("a", encoding="utf-8") as log:
                        code, result = _called(job, lock, log, tracking.environment, started)
                else:
                    code, result = _called(job, lock, None, tracking.environment, started)
            tracking.status = "FINISHED" if code == 0 else "KILLED" if code in ASKED_TO_STOP else "FAILED"
        return JobEnd(
            code=code,
            result=result,
            reason="" if code == 0 else _reason(job, code, result),
            attempts=attempts,
            seconds=time.monotonic() - begun,
        )
