"""A card in the lines a person reads, with the revision its files are held to."""

from __future__ import annotations

from medctx.fetch.pinned import RECORD, Recorded, Remote
from medctx.io.cache import cache_folder
from medctx_data.sources.card import FORMS, SourceCard


def recorded(remotes: tuple[Remote, ...]) -> list[Recorded]:
    """What the first download of these files recorded, one line for each that was downloaded.

    A file of a data set may have been asked for at the commit of its sibling instead of by the card's revision.
    """
    record = cache_folder() / RECORD
    if not remotes or not record.is_file():
        return []
    # Read without repair: a line that is being written may be torn.
    whole = record.read_text(encoding="utf-8").rpartition("\n")[0]
    lines = [Recorded.model_validate_json(line) for line in whole.splitlines()]
    asked = {line.revision for line in lines if line.remote == remotes[0]} | {""}
    found = []
    for remote in remotes:
        requested = [remote, *(remote.model_copy(update={"revision": revision}) for revision in asked)]
        found += [line for line in lines if line.remote in requested][:1]
    return found


def _revision(card: SourceCard) -> str:
    if not card.files:
        return ""
    lines = recorded(card.files)
    if not lines:
        return "none recorded: the newest one is fetched, and held to from then on"
    told = ", ".join(dict.fromkeys(line.revision or f"digest {line.digest}" for line in lines))
    return f"{told} (recorded on {lines[0].date[:10]})"


def described(card: SourceCard) -> list[tuple[str, str]]:
    """Names and values of everything known about a source, in the order they are read."""
    found = (
        ("domain", card.domain or "as the config states"),
        ("sub-domain", card.subdomain),
        ("language", card.language or "as each row states or is written"),
        ("licence", card.licence),
        ("restriction", card.restriction),
        ("citation", card.citation),
        ("published", card.published),
        ("data set", card.hub),
        ("files", "\n".join(one.file or one.place for one in card.files)),
        ("revision", _revision(card)),
        ("form", FORMS[card.form]),
        ("columns", "\n".join(f"{part}: {column!r}" for part, column in card.columns.items())),
        ("held out", f"rows whose id is listed in {card.held_out.place}" if card.held_out else ""),
        ("unconfirmed", card.unconfirmed),
    )
    return [(name, value) for name, value in found if value]
