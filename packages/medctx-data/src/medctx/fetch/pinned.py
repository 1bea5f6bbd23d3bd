"""Published files, pinned by the first fetch.

The first fetch of a file appends a line to the revision record (``revisions.jsonl`` in the cache folder): the file, the
revision that the server resolved, the digest of its bytes, the date. Every later fetch must give the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from medctx.errors import MedctxError
from medctx.fetch.errors import require_packages
from medctx.fetch.http import from_url
from medctx.fetch.hub import from_hub
from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx.io.journal import Journal
from medctx.io.masking import mask_secrets
from medctx.schemas.records import Record

if TYPE_CHECKING:
    from filelock import BaseFileLock

RECORD = "revisions.jsonl"


class Remote(Record):
    """A published file, of a data set of the hub or at a URL.

    Attributes:
        repo: Data set, ``owner/name``.
        file: File in the data set.
        url: Address, which may hold ``{revision}``.
        revision: Commit, tag or branch.
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
        """How errors name it."""
        return mask_secrets(self.url.replace("{revision}", self.revision)) or f"{self.file} of the data set {self.repo}"


class Fetched(Record):
    """A fetched file.

    Attributes:
        path: Where it is.
        revision: Commit that the server stated, else the requested revision (``""`` for a URL without one).
        digest: SHA-256 of its bytes in hex.
    """

    path: Path
    revision: str
    digest: str


class Recorded(Record):
    """One line of the revision record: the result and the date (UTC) of the first fetch of ``remote``."""

    remote: Remote
    revision: str
    digest: str
    date: str


def lock_in(folder: Path, name: str) -> BaseFileLock:
    """Return a lock between processes, which the system releases when its holder is killed."""
    from filelock import FileLock

    (folder / "locks").mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "locks" / f"{name}.lock")


def _masked(remote: Remote) -> Remote:
    """The file as it is recorded: without secrets in its address."""
    return remote.model_copy(update={"url": mask_secrets(remote.url)})


def _recorded(folder: Path, remote: Remote) -> Recorded | None:
    with lock_in(folder, "revisions"), Journal(folder / RECORD, Recorded) as journal:
        return next((line for line in journal.records if line.remote == _masked(remote)), None)


def _record(folder: Path, line: Recorded) -> None:
    with lock_in(folder, "revisions"), Journal(folder / RECORD, Recorded) as journal:
        journal.append(line)


def _retrieve(folder: Path, remote: Remote, known: Recorded | None) -> Fetched:
    """The file from the cache, or from its publisher if it is missing or not the recorded one."""
    if remote.repo:
        pinned = known.revision if known else remote.revision
        path, revision = from_hub(remote.repo, remote.file, pinned)
        file_digest = digest.of_file(path)
        if known and file_digest != known.digest:
            path, revision = from_hub(remote.repo, remote.file, pinned, force=True)
            file_digest = digest.of_file(path)
        return Fetched(path=path, revision=revision, digest=file_digest)
    address = remote.url.replace("{revision}", remote.revision)
    path = folder / "files" / digest.of_record(remote)[: digest.SHORT] / address.partition("?")[0].rpartition("/")[2]
    if known and path.is_file() and digest.of_file(path) == known.digest:
        return Fetched(path=path, revision=known.revision, digest=known.digest)
    path, stated = from_url(address, path)
    revision = stated or (remote.revision if "{revision}" in remote.url else "")
    return Fetched(path=path, revision=revision, digest=digest.of_file(path))


def fetch(remote: Remote) -> Fetched:
    """Fetch a published file, or find it in the cache.

    Raises:
        MedctxError: The file cannot be reached, or its bytes differ from those of the first fetch.
    """
    require_packages()
    folder = cache_folder()
    try:
        with lock_in(folder, digest.of_record(remote)[: digest.SHORT]):
            known = _recorded(folder, remote)
            fetched = _retrieve(folder, remote, known)
            if known is None:
                date = datetime.now(UTC).isoformat(timespec="seconds")
                line = Recorded(remote=_masked(remote), revision=fetched.revision, digest=fetched.digest, date=date)
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
