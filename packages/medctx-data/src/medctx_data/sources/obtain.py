"""The files of a source: local ones where a path is given, else published ones, fetched."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.fetch.pinned import Fetched, Remote, fetch
from medctx.io import digest
from medctx.tables.folders import is_pattern, locate
from medctx.tables.opening import SUFFIXES
from medctx_data.sources.card import FORMS, SourceCard


class Obtained(NamedTuple):
    """The files of a source.

    Attributes:
        paths: The files in their order.
        revision: The publisher's revision, ``""`` for local files.
        digest: Digest of their bytes.
        left_out: Files of the same folder that are not read, because their names are those of a held-out split.
    """

    paths: tuple[Path, ...]
    revision: str
    digest: str
    left_out: tuple[Path, ...] = ()


def _own(label: str, paths: Sequence[Path], split: str, subset: str) -> Obtained:
    for path in paths:
        if not path.exists() and not is_pattern(path):
            raise MedctxError(f"The path {path} of the source {label!r} does not exist; correct its key path.")
    located = locate(paths, split, subset)
    return Obtained(
        located.paths, "", digest.of_value([digest.of_file(file) for file in located.paths]), located.left_out
    )


def _published(files: tuple[Remote, ...], revision: str) -> Obtained:
    """Fetch ``files``; those of one data set at the commit of the first, so that they belong together."""
    fetched: list[Fetched] = []
    for remote in files:
        fetched.append(fetch(remote.model_copy(update={"revision": revision}) if revision else remote))
        if remote.repo and not revision and len(files) > 1:
            revision = fetched[0].revision
    revisions = dict.fromkeys(file.revision for file in fetched if file.revision)
    digests = digest.of_value([file.digest for file in fetched])
    return Obtained(tuple(file.path for file in fetched), ", ".join(revisions), digests)


def obtain(label: str, card: SourceCard, paths: Sequence[Path], revision: str, split: str, subset: str) -> Obtained:
    """Return the files of a source.

    Args:
        label: Its label.
        card: Its card.
        paths: Local files and folders to read instead of the published ones.
        revision: Revision of the published files, ``""`` for the recorded one.
        split: Split of folders.
        subset: Subset of a cloned repository.

    Raises:
        MedctxError: There is neither a path nor a published file, or a file is not available.
    """
    if paths:
        return _own(label, paths, split, subset)
    if card.files:
        return _published(card.files, revision)
    where = f"; it is published at {card.published}" if card.published else ""
    raise MedctxError(
        f"The source {label!r} needs the key path, a local file or folder ({FORMS[card.form]}; "
        f"{', '.join(SUFFIXES)}, packed or not){where}."
    )


def exam_ids(remote: Remote | None) -> Collection[str]:
    """Return the ids that a published list reserves for an exam: the keys, or the entries, of a JSON file."""
    if remote is None:
        return ()
    fetched = fetch(remote)
    try:
        listed = json.loads(fetched.path.read_bytes())
    except ValueError:
        raise MedctxError(f"{remote.place} is no JSON list of ids; name another revision of it.") from None
    return frozenset(str(name) for name in listed)
