"""The cards of all sources known by name."""

from __future__ import annotations

import difflib

from medctx.errors import MedctxError
from medctx.schemas.records import Domain
from medctx_data.sources.card import AS_STATED, HUB, SourceCard
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.general import GENERAL
from medctx_data.sources.medical import ENGLISH
from medctx_data.sources.medical_zh import CHINESE

OWN = tuple(
    SourceCard(name=name, domain="", language="", licence=AS_STATED, citation="the user's own file", form="dialogues")
    for name in ("jsonl", "parquet")
)
ANY = SourceCard(
    name=HUB,
    domain="",
    language="",
    licence="as the data set's own card states, shown when it is opened",
    citation="a data set of the hub, by the keys dataset, subset, split and revision",
    form="dialogues",
    published="https://huggingface.co/datasets (read through the library datasets)",
)
CARDS = {card.name: card for card in (*GENERAL, *ENGLISH, *CHINESE, ANY, *OWN)}


def card_of(name: str) -> SourceCard:
    """Return the card of a source; an unknown name is an error that names the nearest."""
    if name in CARDS:
        return CARDS[name]
    close = difflib.get_close_matches(name, list(CARDS), n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise MedctxError(f"There is no source {name!r}{hint}; known are: {', '.join(sorted(CARDS))}.")


def domain_of(config: SourceConfig) -> Domain:
    """Return the domain of a configured source: its card's, or the one the config states where the card has none."""
    card = card_of(config.source)
    if card.domain:
        if config.domain and config.domain != card.domain:
            raise MedctxError(
                f"The source {config.source!r} is {card.domain}, not {config.domain}; remove its key domain."
            )
        return card.domain
    if not config.domain:
        raise MedctxError(f"The source {config.label!r} needs the key domain: general or medical.")
    return config.domain
