"""Marks an MLflow run FAILED when the process that was writing it is gone: killed, out of memory, its shell closed.

Run as a program of its own, ``python -P watcher.py RUN_ID OWNER PARENT``, with a pipe from the parent as its input. It
sleeps in the kernel until the parent says goodbye on the pipe or ends, and imports MLflow only to mark a run.
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
GONE = "its process was gone without a word: killed, or out of memory"
_GOODBYE = b"."
_TRIES, _PAUSE_S = 6, 2.0


def _left_silently(parent: int) -> bool:
    """Wait for the parent's goodbye or its end; True where it ended without one."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    with suppress(AttributeError, OSError):  # where the system has no such thing, the pipe's end has to do
        # A child forked by the parent keeps the pipe open after it; the parent's own end is what counts.
        poll.register(os.pidfd_open(parent), select.POLLIN)
    if os.getppid() == parent:
        poll.poll()
    os.set_blocking(0, False)
    try:
        return os.read(0, 1) != _GOODBYE
    except BlockingIOError:
        return True


def _mark(run_id: str, owner: str) -> None:
    """Mark the run FAILED unless it ended properly or another process has gone on with it."""
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(run_id)
    if run.info.status == "RUNNING" and run.data.tags.get(OWNER_TAG) == owner:
        client.set_tag(run_id, ENDED_TAG, GONE)
        client.set_terminated(run_id, "FAILED")


def main() -> None:
    """Watch one run; the store may be busy or away for some seconds."""
    run_id, owner, parent = sys.argv[1:]
    if not _left_silently(int(parent)):
        return
    for attempt in range(_TRIES):
        try:
            _mark(run_id, owner)
        except Exception:  # whatever a store raises; there is nobody to tell
            time.sleep(_PAUSE_S * 2**attempt)
        else:
            return


@contextmanager
def watched(run_id: str, owner: str, store: str) -> Iterator[None]:
    """Have a run of the store at the URI ``store`` watched as long as the block lasts; costs one sleeping process.

    ``owner`` is the value of the run's :data:`OWNER_TAG` by which the watcher knows that nobody went on with it.
    """
    # In a session of its own, so that what is sent to the parent's group (Ctrl-C, a closed terminal) leaves it alive;
    # away from the parent's streams, so that nobody who reads those waits for it.
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
