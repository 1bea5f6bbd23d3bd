"""Published files, fetched once and held to what was fetched.

The first fetch of a file appends a line to the revision record (``revisions.jsonl`` in the cache folder): which file,
the revision the server resolved, the digest of its bytes, the date. Every later fetch is held to that line.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from medctx.errors import MedctxError
from medctx.fetch import url as download
from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx.io.journal import Journal
from medctx.schemas.records import Record

if TYPE_CHECKING:
    from filelock import BaseFileLock

RECORD = "revisions.jsonl"


class Remote(Record):
    """A published file: of a hub data set (``repo`` "owner/name" and ``file`` inside it) or at a ``url``.

    ``url`` may hold "{revision}". ``revision`` is a commit, a tag or a branch.
    """

    repo: str = ""
    file: str = ""
    url: str = ""
    revision: str = "main"

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if bool(self.url) == bool(self.repo) or bool(self.repo) != bool(self.file):
            raise ValueError("a published file is either a repo with a file or a url")
        return self

    @property
    def place(self) -> str:
        """As errors name it."""
        return self.url.replace("{revision}", self.revision) or f"{self.file} of the data set {self.repo}"


class Fetched(Record):
    """A fetched file.

    ``revision`` is the commit the server told, else what was asked ("" for a ``url`` that names none); ``digest`` is
    the SHA-256 of its bytes in hex.
    """

    path: Path
    revision: str
    digest: str


class Recorded(Record):
    """One line of the revision record: what the first fetch of ``remote`` found, and when (UTC)."""

    remote: Remote
    revision: str
    digest: str
    date: str


def lock_in(folder: Path, name: str) -> BaseFileLock:
    """A lock between processes, which the system frees when its holder is killed."""
    from filelock import FileLock

    (folder / "locks").mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "locks" / f"{name}.lock")


def _recorded(folder: Path, remote: Remote) -> Recorded | None:
    with lock_in(folder, "revisions"), Journal(folder / RECORD, Recorded) as journal:
        return next((line for line in journal.records if line.remote == remote), None)


def _record(folder: Path, line: Recorded) -> None:
    with lock_in(folder, "revisions"), Journal(folder / RECORD, Recorded) as journal:
        journal.append(line)


def _bring(folder: Path, remote: Remote, known: Recorded | None) -> Fetched:
    """The file as it is here, or as it comes from its publisher where it is not here or not what was recorded."""
    if remote.repo:
        asked = known.revision if known else remote.revision
        path, revision = download.from_hub(remote.repo, remote.file, asked)
        found = digest.of_file(path)
        if known and found != known.digest:
            path, revision = download.from_hub(remote.repo, remote.file, asked, anew=True)
            found = digest.of_file(path)
        return Fetched(path=path, revision=revision, digest=found)
    address = remote.url.replace("{revision}", remote.revision)
    path = folder / "files" / digest.of_record(remote)[: digest.SHORT] / address.partition("?")[0].rpartition("/")[2]
    if known and path.is_file() and digest.of_file(path) == known.digest:
        return Fetched(path=path, revision=known.revision, digest=known.digest)
    path, told = download.from_url(address, path)
    revision = told or (remote.revision if "{revision}" in remote.url else "")
    return Fetched(path=path, revision=revision, digest=digest.of_file(path))


def fetch(remote: Remote) -> Fetched:
    """Bring a published file here, or find it in the cache; it is what the first fetch recorded, or an error.

    Raises MedctxError where the file cannot be reached, and where its bytes are not those recorded.
    """
    download.require_packages()
    folder = cache_folder()
    try:
        with lock_in(folder, digest.of_record(remote)[: digest.SHORT]):
            known = _recorded(folder, remote)
            fetched = _bring(folder, remote, known)
            if known is None:
                date = datetime.now(UTC).isoformat(timespec="seconds")
                line = Recorded(remote=remote, revision=fetched.revision, digest=fetched.digest, date=date)
                _record(folder, line)
            elif fetched.digest != known.digest:
                raise MedctxError(
                    f"{remote.place} has the digest {fetched.digest}, but {known.digest} was recorded on "
                    f"{known.date[:10]}; to accept the new file delete its line in {folder / RECORD}."
                )
            return fetched
    except OSError as error:
        raise MedctxError(
            f"The cache {folder} cannot be used ({error}); set MEDCTX_CACHE to a folder that can be written."
        ) from None
