"""The executor a study asks for, for as long as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from study.config.study import ExecutorConfig
from study.workflow.executors.local import LocalExecutor
from study.workflow.executors.protocol import Executor
from study.workflow.executors.ray import RayExecutor


@contextmanager
def opened(config: ExecutorConfig) -> Iterator[Executor]:
    """Start it, and close it whatever happens."""
    executor: Executor = RayExecutor(config) if config.kind == "ray" else LocalExecutor(config)
    try:
        yield executor
    finally:
        executor.close()
