"""The cards of all sources known by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from medctx.errors import MedctxError
from medctx.schemas.records import Domain
from medctx_data.sources.card import AS_STATED, FILE, HUB, SourceCard
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.general import GENERAL
from medctx_data.sources.medical import ENGLISH
from medctx_data.sources.medical_zh import CHINESE

OWN = SourceCard(name=FILE, domain="", language="", licence=AS_STATED, citation="the user's own file", form="dialogues")
ANY = SourceCard(
    name=HUB,
    domain="",
    language="",
    licence="as the data set's own card states, shown when it is opened",
    citation="a data set of the hub, by the keys dataset, subset, split and revision",
    form="dialogues",
    published="https://huggingface.co/datasets (read through the library datasets)",
)
CARDS = {card.name: card for card in (*GENERAL, *ENGLISH, *CHINESE, ANY, OWN)}


def card_of(name: str) -> SourceCard:
    """Return the card of a source; an unknown name is an error that names the nearest."""
    if name in CARDS:
        return CARDS[name]
    close = difflib.get_close_matches(name, list(CARDS), n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    if Path(name).exists():
        raise MedctxError(f"There is no source {name!r} but a path of that name; to read it, write ./{name}.")
    raise MedctxError(f"There is no source {name!r}{hint}; known are: {', '.join(sorted(CARDS))}.")


def domain_in_name(paths: Sequence[Path]) -> Domain | None:
    """Return the domain that the names of files, else of the two folders around them, state; None where they do not."""
    stated = {_domain_in(path) for path in paths}
    return stated.pop() if len(stated) == 1 else None


def _domain_in(path: Path) -> Domain | None:
    for name in reversed(path.parts[-3:]):
        words = set(re.split(r"[^a-z]+", name.lower()))
        domains: list[Domain] = [domain for domain in get_args(Domain) if domain in words]
        if len(domains) == 1:
            return domains[0]
    return None


def domain_of(config: SourceConfig) -> Domain:
    """Return the domain of a configured source: its card's, or the one the config states where the card has none."""
    card = card_of(config.source)
    if card.domain:
        if config.domain and config.domain != card.domain:
            raise MedctxError(
                f"The source {config.source!r} is {card.domain}, not {config.domain}; remove its key domain."
            )
        return card.domain
    domain = config.domain or domain_in_name(config.paths)
    if not domain:
        raise MedctxError(
            f"The source {config.label!r} needs the key domain: general or medical (a file or folder of that name says "
            "it as well)."
        )
    return domain
