"""A lock that one process at a time holds on a folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from medctx.errors import MedctxError

try:
    import fcntl
except ImportError:  # no advisory locks on this system
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _holder(file: Path) -> tuple[str, int] | None:
    """Host and process that a lock file names; None if it names none."""
    try:
        holder = json.loads(file.read_bytes())
        return str(holder["host"]), int(holder["process"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _by_existence(file: Path, message: str) -> Iterator[None]:
    """Lock by making a file that must not exist, for file systems without locks; a dead process's is replaced."""
    this_process = (socket.gethostname(), os.getpid())
    holder = _holder(file)
    if holder is not None and holder[0] == this_process[0] and not _is_alive(holder[1]):
        file.unlink(missing_ok=True)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        host, process = holder or ("an unknown host", 0)
        raise MedctxError(
            f"{message} (process {process} on {host}); if it does not run any more, remove {file}."
        ) from None
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"host": this_process[0], "process": this_process[1]}, stream)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _flock(stream: TextIO, message: str) -> bool:
    """Lock an open file until it is closed; returns whether the system has such locks."""
    if fcntl is not None:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise MedctxError(f"{message}; wait until it ends, or give another --out.") from None
    return False


@contextmanager
def exclusive(folder: Path, message: str) -> Iterator[None]:
    """Hold the lock of a folder; a process that ends, however it ends, gives it up.

    Args:
        folder: The folder, created if needed.
        message: The beginning of the error if another process holds the lock.

    Raises:
        MedctxError: If another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LOCK_FILE
    with contextlib.ExitStack() as stack:
        if not _flock(stack.enter_context(file.open("a")), message):
            stack.enter_context(_by_existence(folder / f"{LOCK_FILE}-held", message))
        yield
