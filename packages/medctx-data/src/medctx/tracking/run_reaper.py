"""Marks an MLflow run FAILED when the process that was writing it has ended: killed, out of memory, its shell closed.

This module runs as a program of its own, ``python -P run_reaper.py RUN_ID OWNER PARENT``, with a pipe from the parent
as its input. It waits until the parent writes to the pipe or ends, and imports MLflow only to mark a run.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

OWNER_TAG = "medctx.owner"
ENDED_TAG = "medctx.ended"
GONE = "its process ended without closing the run: killed, or out of memory"
_GOODBYE = b"."
_TRIES, _PAUSE_S = 6, 2.0


def _left_silently(parent: int) -> bool:
    """Wait for the parent's last message or its end; return True if it ended without one."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    with suppress(AttributeError, OSError):  # without pidfd, the end of the pipe has to suffice
        # A child forked by the parent keeps the pipe open after the parent ends.
        poll.register(os.pidfd_open(parent), select.POLLIN)
    if os.getppid() == parent:
        poll.poll()
    os.set_blocking(0, False)
    try:
        return os.read(0, 1) != _GOODBYE
    except BlockingIOError:
        return True


def _mark(run_id: str, owner: str) -> None:
    """Mark the run FAILED unless it ended properly or another process has resumed it."""
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(run_id)
    if run.info.status == "RUNNING" and run.data.tags.get(OWNER_TAG) == owner:
        client.set_tag(run_id, ENDED_TAG, GONE)
        client.set_terminated(run_id, "FAILED")


def main() -> None:
    """Watch one run; marking is retried, since the store may be unavailable for some seconds."""
    run_id, owner, parent = sys.argv[1:]
    if not _left_silently(int(parent)):
        return
    for attempt in range(_TRIES):
        try:
            _mark(run_id, owner)
        except Exception:  # any error of the store; there is no one to report it to
            time.sleep(_PAUSE_S * 2**attempt)
        else:
            return


@contextmanager
def watch_run(run_id: str, owner: str, store: str) -> Iterator[None]:
    """Watch a run of the store at the URI ``store`` during the block, by one sleeping process.

    ``owner`` is the value of the run's ``OWNER_TAG``: if it has changed, another process has resumed the run.
    """
    # In a session of its own, so that signals to the parent's group (Ctrl-C, a closed terminal) do not end it; without
    # the parent's streams, so that readers of those do not wait for it.
    watcher = subprocess.Popen(
        [sys.executable, "-P", __file__, run_id, owner, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "MLFLOW_TRACKING_URI": store},
    )
    try:
        yield
    finally:
        assert watcher.stdin is not None
        with suppress(BrokenPipeError):
            watcher.stdin.write(_GOODBYE)
            watcher.stdin.close()
        watcher.wait()


if __name__ == "__main__":
    main()
