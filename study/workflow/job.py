"""One call of a console command, as it is run on this machine or on another one.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from medctx.io.journal import Journal
from medctx.io.jsonl import write_text
from medctx.process.progress import say
from medctx.schemas.records import Record
from study.workflow.commands import tethered
from study.workflow.steps import CONFIG

ATTEMPTS, LOCK, LOG, ERROR = "attempts.jsonl", ".lock", "log.txt", ".error"
ERROR_FILE = "MEDCTX_ERROR_FILE"
STOP_S = 30.0
ASKED_TO_STOP = (-signal.SIGTERM, -signal.SIGINT)

Started = Callable[["subprocess.Popen[str]"], None]


class Job(Record):
    """What to call and where. ``command`` gets ``--config`` (the text ``config``) and ``--out`` (``folder``).

    ``manifest``: see :class:`study.workflow.steps.Step`. ``environment`` is added to the process's own. ``place``: the
    folder
    that relative paths in ``config`` start from (nothing: the process's own). ``logged``: stderr goes to a file in the
    folder instead of the screen. ``retries``: how often a killed command is called again.
    """

    label: str
    command: tuple[str, ...]
    folder: Path
    config: str
    manifest: str
    environment: dict[str, str]
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


class Ended(Record):
    """How a job ended: its exit ``code`` (negative: the signal that killed it), what it printed, why it failed.

    ``before``: it was done when its turn came.
    """

    code: int = 0
    output: str = ""
    reason: str = ""
    attempts: int = 0
    seconds: float = 0.0
    before: bool = False


@contextmanager
def _held(folder: Path, label: str) -> Iterator[int]:
    """Hold the folder of a step; yields the descriptor that holds it."""
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"{label}: another process is at work on it ({folder}); waiting.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _called(job: Job, lock: int, stderr: IO[str] | None, started: Started) -> tuple[int, str]:
    """Exit code and stdout of one call."""
    arguments = [*job.command, "--config", str(job.folder / CONFIG), "--out", str(job.folder)]
    process = subprocess.Popen(
        tethered(arguments),
        stdout=subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=job.place,
        pass_fds=(lock,),
        env={**os.environ, **job.environment, ERROR_FILE: str(job.folder / ERROR)},
    )
    with Journal(job.folder / ATTEMPTS, Attempt) as journal:
        begun = datetime.now(UTC).isoformat(timespec="milliseconds")
        journal.append(Attempt(begun=begun, host=socket.gethostname(), worker=os.getpid(), command=process.pid))
    started(process)
    try:
        output, _ = process.communicate()
    except BaseException:
        _stop(process)
        raise
    return process.returncode, output


def _reason(job: Job, code: int) -> str:
    """Why a command failed: its own sentence where it left one."""
    told = job.folder / ERROR
    if code > 0 and told.is_file():
        return told.read_text(encoding="utf-8").strip()
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    where = f"; its last words are in {job.folder / LOG}" if job.logged else "; its message stands above"
    return f"'{' '.join(job.command)}' {how}{where}"


def run(job: Job, started: Started = lambda process: None) -> Ended:
    """Run a job to its end, called again where its process was killed. Never raises for a command that fails."""
    job.folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with _held(job.folder, job.label) as lock:
        if job.manifest and (job.folder / job.manifest).is_file():
            return Ended(before=True)
        if job.manifest and (job.folder / ATTEMPTS).is_file():
            say(f"{job.label}: was begun before and did not end; it continues in {job.folder}.")
        write_text(job.folder / CONFIG, job.config)
        (job.folder / ERROR).unlink(missing_ok=True)
        attempts, code, output = 0, -1, ""
        while code < 0 and code not in ASKED_TO_STOP and attempts <= job.retries:
            if attempts:
                say(f"{job.label}: killed by signal {-code}; called again ({attempts} of {job.retries}).")
            attempts += 1
            if job.logged:
                with (job.folder / LOG).open("a", encoding="utf-8") as log:
                    code, output = _called(job, lock, log, started)
            else:
                code, output = _called(job, lock, None, started)
        return Ended(
            code=code,
            output=output,
            reason="" if code == 0 else _reason(job, code),
            attempts=attempts,
            seconds=time.monotonic() - begun,
        )
