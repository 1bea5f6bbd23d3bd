"""What a study asks of whoever runs its jobs."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from study.workflow.job import Ended, Job


class Executor(Protocol):
    """Takes jobs that may all run at once and runs as many of them as there is room for."""

    @property
    def alone(self) -> bool:
        """Whether jobs run one after the other on this machine, so that their progress can be shown as it is."""

    def submit(self, job: Job) -> Future[Ended]:
        """Queue a job; its future holds how it ended."""

    def stop(self) -> None:
        """End the running jobs now: the study is interrupted."""

    def close(self) -> None:
        """Nothing more comes."""
