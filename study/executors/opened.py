"""The executor a study asks for, for as long as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from study.config import ExecutorConfig
from study.executors.local import LocalExecutor
from study.executors.protocol import Executor
from study.executors.ray import RayExecutor


@contextmanager
def opened(config: ExecutorConfig) -> Iterator[Executor]:
    """Start it, and close it whatever happens."""
    executor: Executor = RayExecutor(config) if config.kind == "ray" else LocalExecutor(config)
    try:
        yield executor
    finally:
        executor.close()
