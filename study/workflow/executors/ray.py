"""Jobs on a Ray cluster: an existing one by its address, or one started on this machine.

Ray chooses the machine by CPUs, GPUs and memory, and calls a job again whose worker died: its command ended with the
worker and resumes from what it left on the shared storage. All machines must see the checkout,
the work folder, the caches and (for sqlite) the tracking store at the same paths.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medctx.errors import MedctxError
from medctx.process.progress import say
from study.config.study import ExecutorConfig
from study.workflow.job import Job, JobEnd, run_job

if TYPE_CHECKING:
    from types import ModuleType

STARTS = 3
"""How often a local Ray is started: on a busy machine its processes import for longer than Ray waits
(30 s, which cannot be configured), and find everything in the page cache the next time.
"""
AGENT_WAIT_MS = 180_000
CONNECT_S = 10.0
"""Time a cluster's address may take to answer. Ray itself tries for minutes."""
_HOST_AND_PORT = re.compile(r"(?:ray://)?([^/:]+):(\d+)")


def _ray() -> ModuleType:
    # Ray would give every task a fresh uv environment where the driver was started by uv.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A task without GPUs leaves CUDA_VISIBLE_DEVICES as it is: a light step need not hide them.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_agent_register_timeout_ms", str(AGENT_WAIT_MS))
    try:
        import ray
    except ImportError:
        raise MedctxError("The executor ray needs Ray, which is not installed; run: pip install --group ray") from None
    return ray


def _most(nodes: list[dict[str, Any]], resource: str) -> float:
    """The most that any living machine has of a resource."""
    return max((node["Resources"].get(resource, 0.0) for node in nodes if node["Alive"]), default=0.0)


def _first_line(error: Exception) -> str:
    """The first line of an error; Ray's go on for pages."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _join(ray: ModuleType, address: str, options: dict[str, object]) -> None:
    """Join the cluster at an address; whether a host and port answer is tried first."""
    match = _HOST_AND_PORT.fullmatch(address)
    try:
        if match:
            socket.create_connection((match[1], int(match[2])), CONNECT_S).close()
        ray.init(address=address, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise MedctxError(
            f"The Ray cluster at {address} cannot be reached ({_first_line(error)}); give executor.address, or "
            "none to start one here."
        ) from None


def start(ray: ModuleType, cpus: int, options: dict[str, object]) -> None:
    """Start a cluster on this machine; raises MedctxError where Ray times out every time."""
    for left in reversed(range(STARTS)):
        try:
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **options)
            return
        except Exception as error:  # Ray raises nothing narrower where its processes are late
            ray.shutdown()
            if not left:
                raise MedctxError(
                    f"Ray cannot be started on this machine ({_first_line(error)}); close what keeps it busy, or "
                    "choose executor.kind=local."
                ) from None
            say(f"Ray did not start in time on this machine; trying again ({left} more).")


class RayExecutor:
    """Queues every job with Ray, which runs as many at a time as the cluster has room for."""

    alone = False

    def __init__(self, config: ExecutorConfig) -> None:
        self._config, self._ray = config, _ray()
        options: dict[str, object] = {"logging_level": logging.WARNING, "log_to_driver": True}
        if config.address:
            _join(self._ray, config.address, options)
        else:
            start(self._ray, max(1, math.ceil(config.cpus)) * config.workers, options)
        nodes = self._ray.nodes()
        self._memory = int(_most(nodes, "memory"))
        for resource, needed in (("CPU", config.cpus), ("GPU", config.gpus)):
            if needed > _most(nodes, resource):
                self._ray.shutdown()
                raise MedctxError(
                    f"No machine of the Ray cluster has {needed:g} {resource}s (the most is "
                    f"{_most(nodes, resource):g}); lower executor.{resource.lower()}s."
                )
        living = sum(bool(node["Alive"]) for node in nodes)
        total = self._ray.cluster_resources()
        say(f"Ray: {living} machines, {total.get('CPU', 0):g} CPUs, {total.get('GPU', 0):g} GPUs.")
        self._waiting: list[Any] = []

    def submit(self, job: Job) -> Future[JobEnd]:
        """Queue a job, with absolute paths: a worker runs in a folder of its own."""
        config = self._config
        here = Path.cwd()
        remote = self._ray.remote(run_job).options(
            name=job.label,
            num_cpus=config.cpus if job.heavy else min(1, config.cpus),
            num_gpus=config.gpus if job.heavy else 0,
            # A request for more than any machine has would wait for ever.
            memory=min(job.memory, self._memory) or None,
            max_retries=config.retries,
        )
        child = job.child and job.child.model_copy(update={"file": here / job.child.file})
        absolute = {"folder": here / job.folder, "place": here, "logged": True, "child": child}
        reference = remote.remote(job.model_copy(update=absolute))
        self._waiting.append(reference)
        future: Future[JobEnd] = reference.future()
        return future

    def stop(self) -> None:
        """Cancel every job; the commands end with their workers."""
        for reference in self._waiting:
            self._ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()
