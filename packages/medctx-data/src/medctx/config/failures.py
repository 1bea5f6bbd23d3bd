"""Errors of the system as sentences: what a command could not do, with which file, and what to do about it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from medctx.errors import MedctxError

DEBUG = "MEDCTX_DEBUG"
"""Environment variable that keeps the tracebacks of such errors."""

_KEPT = "what was finished is kept, and the same command continues"
_SENTENCES = {
    errno.ENOSPC: f"The disk is full at {{place}}; free some space or choose another folder with --out: {_KEPT}.",
    errno.EDQUOT: f"The disk quota is used up at {{place}}; free some space or choose another folder: {_KEPT}.",
    errno.EFBIG: "{place} would be larger than the file system allows; choose another folder with --out.",
    errno.EROFS: "{place} is on a read-only file system; choose another folder, for example with --out.",
    errno.EACCES: "{place} cannot be used (permission denied); change its permissions or choose another path.",
    errno.EPERM: "{place} cannot be used (operation not permitted); change its permissions or choose another path.",
    errno.ENOENT: "{place} does not exist; correct the path or make it.",
    errno.ENOTDIR: "{place} needs a folder where a file lies; remove the file or choose another path.",
    errno.EEXIST: "{place} exists already and is no folder; remove it or choose another path.",
    errno.EISDIR: "{place} is a folder where a file is needed; remove it or choose another path.",
    errno.ELOOP: "{place} cannot be reached: its symbolic links form a loop; correct the links.",
    errno.ENAMETOOLONG: "{place} has a name that is too long for the file system; choose a shorter one.",
    errno.EMFILE: "This process may not open more files (at {place}); raise the limit with ulimit -n.",
    errno.ENFILE: "This machine may not open more files (at {place}); close other programs.",
    errno.EIO: f"The device of {{place}} reports an error; check the disk: {_KEPT}.",
    errno.ESTALE: f"{{place}} is gone from its network file system; mount it again: {_KEPT}.",
    errno.ENOMEM: "There is not enough memory (at {place}); use fewer processes or a smaller batch.",
}


def explain_failure(error: BaseException) -> MedctxError | None:
    """Return the sentence for an error of the system or of undecodable text; None for everything else."""
    if isinstance(error, MedctxError):
        return error
    if isinstance(error, UnicodeEncodeError) and error.encoding.startswith("utf"):
        half = ascii(error.object[error.start])[1:-1]
        return MedctxError(f"A text holds {half}, half of a surrogate pair and no character; mend that text.")
    if isinstance(error, UnicodeEncodeError):
        sign = ascii(error.object[error.start])[1:-1]
        return MedctxError(f"The output cannot show {sign} in {error.encoding}; set PYTHONIOENCODING=utf-8.")
    if isinstance(error, UnicodeDecodeError):
        return MedctxError(f"A text is not {error.encoding.upper()} (byte {error.start}); save it as UTF-8.")
    if not isinstance(error, OSError):
        return None
    names = [
        os.fspath(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes | os.PathLike)
    ]
    place = " and ".join(name.decode(errors="replace") if isinstance(name, bytes) else name for name in names)
    number = _cause(error)
    if number in _SENTENCES:
        sentence = _SENTENCES[number].format(place=place or "the output")
        return MedctxError(sentence if place else sentence[0].upper() + sentence[1:])
    where = f" at {place}" if place else ""
    return MedctxError(
        f"The system reports an error{where} ({error.strerror or error or type(error).__name__}); try again."
    )


def _cause(error: OSError) -> int:
    """The error's number; making a folder whose links form a loop is reported as if the folder existed."""
    if error.errno == errno.EEXIST and isinstance(error.filename, str | bytes | os.PathLike):
        try:
            os.stat(error.filename)
        except OSError as cause:
            return cause.errno or errno.EEXIST
    return error.errno or 0


@contextmanager
def failures_as_sentences() -> Iterator[None]:
    """Raise errors of the system as MedctxError with one sentence; every other error passes unchanged.

    A closed standard output (``medctx-data ... | head``) ends the command quietly with exit code 1. With
    ``MEDCTX_DEBUG=1`` all errors pass unchanged.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would raise the same error when the interpreter ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        explained = explain_failure(error)
        if explained is None or explained is error or os.environ.get(DEBUG):
            raise
        raise explained from None
