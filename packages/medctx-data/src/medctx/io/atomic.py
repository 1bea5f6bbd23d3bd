"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in errors of the disk: those of writing to an open file do not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _OF_THE_DISK:
            error.filename = str(path)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for bytes that is synced to disk and renamed to ``path`` when the block ends without an error.

    After an error nothing is left of it, and an existing file of that name is unchanged. Permissions follow the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    # Opened by the system call and not by tempfile, which makes files that no one else may read whatever the umask is.
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with naming(path), os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def follow_umask(folder: Path) -> None:
    """Give the files of a folder the permissions that the umask allows.

    Some libraries (safetensors) make files that no one else may read whatever the umask is.
    """
    # A new file shows what the umask allows; os.umask would have to set it for all threads to read it.
    sample = folder / f".{secrets.token_hex(4)}"
    descriptor = os.open(sample, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    mode = os.fstat(descriptor).st_mode & 0o777
    os.close(descriptor)
    sample.unlink()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(mode)
