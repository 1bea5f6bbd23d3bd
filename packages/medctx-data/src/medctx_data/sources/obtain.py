"""The files of a source: the user's own where a path is given, else fetched from where they are published."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote, fetch
from medctx.io import digest
from medctx_data.sources.card import FORMS, SourceCard
from medctx_data.sources.tables import SUFFIXES


class Obtained(NamedTuple):
    """Files in their order, the publisher's revision of them ("" for one's own), and a digest of their bytes."""

    paths: tuple[Path, ...]
    revision: str
    digest: str


def _inside(folder: Path) -> tuple[Path, ...]:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and (path.suffix if path.suffix != ".gz" else Path(path.stem).suffix) in SUFFIXES
    )
    if not found:
        raise MedctxError(f"The folder {folder} holds no file that ends in {', '.join(SUFFIXES)}; give another path.")
    return tuple(found)


def _own(label: str, path: Path) -> Obtained:
    if not path.exists():
        raise MedctxError(f"The path {path} of the source {label!r} does not exist; correct its key path.")
    paths = _inside(path) if path.is_dir() else (path,)
    return Obtained(paths, "", digest.of_value([digest.of_file(one) for one in paths]))


def _published(files: tuple[Remote, ...], revision: str) -> Obtained:
    """Fetch ``files``; those of one data set at the commit of the first, so that they belong together."""
    found = []
    asked = revision
    for remote in files:
        found.append(fetch(remote.model_copy(update={"revision": asked}) if asked else remote))
        if remote.repo and not asked and len(files) > 1:
            asked = found[0].revision
    revisions = dict.fromkeys(one.revision for one in found if one.revision)
    return Obtained(
        tuple(one.path for one in found), ", ".join(revisions), digest.of_value([one.digest for one in found])
    )


def obtain(label: str, card: SourceCard, path: Path | None, revision: str) -> Obtained:
    """The files of ``card``; ``revision`` is fetched in place of the newest one where it is named.

    Raises MedctxError where there is neither a path nor a published file, and where a file cannot be had.
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
    """The ids a published list keeps for an exam: the keys, or the entries, of a JSON file."""
    if remote is None:
        return ()
    fetched = fetch(remote)
    try:
        listed = json.loads(fetched.path.read_bytes())
    except ValueError:
        raise MedctxError(f"{remote.place} is no JSON list of ids; name another revision of it.") from None
    return frozenset(str(name) for name in listed)
