"""Sources by name: find the card, open the source a config names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from medctx import curriculum as split
from medctx.curriculum import CurriculumConfig
from medctx.errors import MedctxError
from medctx.records import Dialogue, Domain
from medctx_data.mix_config import SourceConfig
from medctx_data.sources import everyday, hpo
from medctx_data.sources.card import FORMS, SourceCard, Supply
from medctx_data.sources.cards import CARDS
from medctx_data.sources.clean import clean
from medctx_data.sources.files import alpaca_rows, dialogue_rows


def card_of(name: str) -> SourceCard:
    """The card of a source; an unknown name is an error that names the nearest."""
    if name in CARDS:
        return CARDS[name]
    close = difflib.get_close_matches(name, list(CARDS), n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise MedctxError(f"There is no source {name!r}{hint}; known are: {', '.join(sorted(CARDS))}.")


def domain_of(config: SourceConfig) -> Domain:
    """The domain a configured source fills: its card's, for ``jsonl`` the one the config states."""
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


def _path(config: SourceConfig, card: SourceCard) -> Path:
    if config.path is None:
        where = f"; it is published at {card.published}" if card.published else ""
        raise MedctxError(
            f"The source {config.label!r} needs the key path, a local .jsonl or .jsonl.gz file "
            f"({FORMS[card.form]}){where}."
        )
    return config.path


def open_source(config: SourceConfig, seed: int, curriculum: CurriculumConfig) -> Supply:
    """Open a source: read and clean its file, or start its generator with ``seed``."""
    card = card_of(config.source)
    rows: Iterator[Dialogue]
    if card.form == "generated":
        if config.path is not None:
            raise MedctxError(f"The source {config.label!r} is generated and reads no file; remove its key path.")
        if card.name == "everyday":
            return Supply(card=card, citation=card.citation, endless=everyday.dialogues(seed))
        taught = split.build(curriculum)
        return Supply(card=card, citation=taught.citation, endless=hpo.dialogues(taught, seed))
    path = _path(config, card)
    if card.form == "alpaca":
        rows = alpaca_rows(path, config.label, card)
    else:
        rows = dialogue_rows(path, config.label, domain_of(config))
    kept, dropped = clean(rows)
    if not kept:
        raise MedctxError(f"The file {path} of source {config.label!r} has no usable row; give another file.")
    return Supply(card=card, citation=card.citation, rows=kept, dropped=dropped)
