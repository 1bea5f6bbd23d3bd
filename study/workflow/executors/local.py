"""Jobs on this machine: one after the other, or several at a time as far as their memory fits."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition, Lock

from medctx.process.progress import say
from study.config.study import ExecutorConfig
from study.workflow.job import Job, JobEnd, run_job

GIB = 2**30
KEPT_FREE = 0.1
"""Share of the free memory that is left to others."""


def free_bytes() -> int:
    """Memory that can be allocated without swapping: MemAvailable of Linux, elsewhere free pages."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
        return kibibytes * 1024
    except (OSError, StopIteration):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Room:
    """Memory in bytes that jobs share. A job that is larger than all of it runs alone."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._used, self._inside, self._changed = 0, 0, Condition()

    def enter(self, size: int, label: str) -> None:
        """Wait until there is room."""
        with self._changed:
            if size > self.total:
                say(f"{label}: needs about {size / GIB:.1f} GiB of {self.total / GIB:.1f}; it runs alone.")
            while self._inside and self._used + size > self.total:
                self._changed.wait()
            self._used += size
            self._inside += 1

    def leave(self, size: int) -> None:
        """Free the memory of a job that has ended."""
        with self._changed:
            self._used -= size
            self._inside -= 1
            self._changed.notify_all()


class LocalExecutor:
    """At most ``workers`` jobs at a time; those that run at a time share the cores, and one alone has all of them."""

    def __init__(self, config: ExecutorConfig) -> None:
        self._workers = config.workers
        limit = config.memory_gib
        self.room = Room(int(limit * GIB) if limit else int(free_bytes() * (1 - KEPT_FREE)))
        self._pool = ThreadPoolExecutor(config.workers, thread_name_prefix="job")
        self._lock = Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._unfinished = 0
        self._stopped = False

    @property
    def alone(self) -> bool:
        """Whether jobs run one after the other."""
        return self._workers == 1

    def _started(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._running = {running for running in self._running if running.poll() is None} | {process}
            if self._stopped:
                process.terminate()

    def _run(self, job: Job) -> JobEnd:
        self.room.enter(job.memory, job.label)
        try:
            return run_job(self._with_threads(job), self._started)
        finally:
            self.room.leave(job.memory)
            with self._lock:
                self._unfinished -= 1

    def _with_threads(self, job: Job) -> Job:
        """The job with its share of the cores, unless nothing else runs or waits, as when all models are examined."""
        with self._lock:
            at_a_time = min(self._workers, self._unfinished)
        if at_a_time < 2:
            return job
        threads = str(max(1, (os.cpu_count() or 1) // at_a_time))
        return job.model_copy(update={"environment": {"OMP_NUM_THREADS": threads, **job.environment}})

    def submit(self, job: Job) -> Future[JobEnd]:
        """Queue a job."""
        with self._lock:
            self._unfinished += 1
        return self._pool.submit(self._run, job)

    def stop(self) -> None:
        """Terminate the running jobs and drop the waiting ones."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """Wait for the running jobs."""
        self._pool.shutdown()
