"""The files of a source: local ones where a path is given, else published ones, fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.fetch.pinned import Fetched, Remote, fetch
from medctx.io import digest
from medctx_data.sources.card import FORMS, SourceCard
from medctx_data.sources.tables import SUFFIXES


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


_HELD_OUT = frozenset({"test", "tests", "dev", "val", "valid", "validation", "eval", "evaluation", "holdout"})


def _is_held_out(path: Path) -> bool:
    """Return whether a file's name is that of a split that is not for training."""
    return not _HELD_OUT.isdisjoint(re.split(r"[^a-z]+", path.name.partition(".")[0].lower()))


def _inside(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The files of a folder to read, and those of held-out splits beside them."""
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and (path.suffix if path.suffix != ".gz" else Path(path.stem).suffix) in SUFFIXES
    )
    if not files:
        raise MedctxError(f"The folder {folder} holds no file that ends in {', '.join(SUFFIXES)}; give another path.")
    held_out = tuple(path for path in files if _is_held_out(path))
    if len(held_out) == len(files):
        return held_out, ()
    return tuple(path for path in files if path not in held_out), held_out


def _own(label: str, path: Path) -> Obtained:
    if not path.exists():
        raise MedctxError(f"The path {path} of the source {label!r} does not exist; correct its key path.")
    paths, left_out = _inside(path) if path.is_dir() else ((path,), ())
    return Obtained(paths, "", digest.of_value([digest.of_file(file) for file in paths]), left_out)


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


def obtain(label: str, card: SourceCard, path: Path | None, revision: str) -> Obtained:
    """Return the files of ``card``, published ones at ``revision`` where one is named.

    Raises:
        MedctxError: There is neither a path nor a published file, or a file is not available.
    """
    if path is not None:
        return _own(label, path)
    if card.files:
        return _published(card.files, revision)
    where = f"; it is published at {card.published}" if card.published else ""
    raise MedctxError(
        f"The source {label!r} needs the key path, a local file or folder ({FORMS[card.form]}; "
        f"{', '.join(SUFFIXES)}, gzipped or not){where}."
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
