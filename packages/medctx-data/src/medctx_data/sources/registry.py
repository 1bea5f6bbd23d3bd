"""Sources by name: find the card, open the source a config names."""

from __future__ import annotations

import difflib
from functools import partial

import medctx
from medctx import curriculum as split
from medctx import digest
from medctx.curriculum import CurriculumConfig
from medctx.errors import MedctxError
from medctx.records import Domain
from medctx_data.mix_config import SourceConfig
from medctx_data.sources import everyday, files, hpo
from medctx_data.sources.card import SourceCard, Supply
from medctx_data.sources.cards import CARDS
from medctx_data.sources.files import Reader
from medctx_data.sources.obtain import exam_ids, obtain


def card_of(name: str) -> SourceCard:
    """The card of a source; an unknown name is an error that names the nearest."""
    if name in CARDS:
        return CARDS[name]
    close = difflib.get_close_matches(name, list(CARDS), n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise MedctxError(f"There is no source {name!r}{hint}; known are: {', '.join(sorted(CARDS))}.")


def domain_of(config: SourceConfig) -> Domain:
    """The domain a configured source fills: its card's, for one's own files the one the config states."""
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


def _generated(config: SourceConfig, card: SourceCard, seed: int, curriculum: CurriculumConfig) -> Supply:
    if config.path is not None:
        raise MedctxError(f"The source {config.label!r} is generated and reads no file; remove its key path.")
    identity = partial(_identity, card, seed)
    if card.name == "everyday":
        return Supply(card=card, citation=card.citation, identity=identity(), endless=everyday.dialogues(seed))
    taught = split.build(curriculum)
    dialogues = hpo.dialogues(taught, seed)
    return Supply(card=card, citation=taught.citation, identity=identity(digest.of_record(taught)), endless=dialogues)


def _identity(card: SourceCard, *parts: object) -> str:
    read_as = card.model_dump(mode="json", include={"form", "columns", "domain", "language", "licence", "held_out"})
    return digest.of_value([card.name, read_as, medctx.__version__, *parts])


def open_source(config: SourceConfig, seed: int, curriculum: CurriculumConfig) -> Supply:
    """Open a source: start its generator with ``seed``, or find its files and fetch what is not here.

    Rows are read when the supply's ``read`` is called. Raises MedctxError where the files cannot be had.
    """
    card = card_of(config.source)
    if card.form == "generated":
        return _generated(config, card, seed, curriculum)
    domain = domain_of(config)
    found = obtain(config.label, card, config.path, config.revision)
    reader = Reader(config.label, domain, card, partial(exam_ids, card.held_out))
    return Supply(
        card=card,
        citation=f"{card.citation} (revision {found.revision})" if found.revision else card.citation,
        identity=_identity(card, config.label, domain, found.digest),
        revision=found.revision,
        read=partial(files.rows, found.paths, reader),
        size=sum(path.stat().st_size for path in found.paths),
    )
