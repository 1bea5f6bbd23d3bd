"""A controlled mixture: each source's prefix up to its share of the budget, put into one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import medctx
from medctx import digest
from medctx.errors import MedctxError
from medctx.records import Dialogue
from medctx_data.count import Counter
from medctx_data.manifest import MixManifest, describe
from medctx_data.mix_config import DOMAINS, MixConfig, SourceConfig, parse_ratio
from medctx_data.part import Entry, Part, Quota, cut
from medctx_data.portion import allot, interleave, split
from medctx_data.sources.card import SourceCard, Supply
from medctx_data.sources.registry import card_of, domain_of

Opener = Callable[[SourceConfig], Supply]

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja")


class Mix(NamedTuple):
    """Dialogues in their final order and the record of what they are."""

    dialogues: tuple[Dialogue, ...]
    manifest: MixManifest


class Wanted(NamedTuple):
    """A configured source that has a share, and its quota."""

    config: SourceConfig
    card: SourceCard
    quota: Quota


def wanted(config: MixConfig) -> list[Wanted]:
    """The sources that have a share of the mix, general ones first, with their budgets.

    Sources of a domain without a share are not opened. Raises MedctxError where a domain with a share has no source.
    """
    found: list[Wanted] = []
    placed = [(source, card_of(source.source), domain_of(source)) for source in config.sources]
    for domain, whole in zip(DOMAINS, parse_ratio(config.ratio), strict=True):
        own = [(source, card) for source, card, of in placed if of == domain]
        if not whole:
            continue
        if not own:
            raise MedctxError(
                f"The ratio {config.ratio} asks for {domain} Dialogues but no source is {domain}; "
                "add one to the key sources (medctx-data sources lists them)."
            )
        shares: list[Fraction] = split([source.share for source, _ in own], whole)
        for (source, card), share in zip(own, shares, strict=True):
            budget = allot(config.budget, share)
            quota = Quota(source.label, domain, share, budget, config.by, config.max_tokens, config.repeat)
            found.append(Wanted(source, card, quota))
    return found


def request_digest(config: MixConfig, sources: Iterable[Wanted], tokenizer: Path) -> str:
    """A name for everything a mix follows from, so that an existing one can be recognised."""
    files = [digest.of_file(one.config.path) for one in sources if one.config.path and one.config.path.is_file()]
    names = [digest.of_file(tokenizer / name) for name in TOKENIZER_FILES if (tokenizer / name).is_file()]
    asked = config.model_dump(mode="json", exclude={"tokenizer": True, "sources": {"__all__": {"path"}}})
    return digest.of_value([asked, files, names, medctx.__version__])


def arrange(parts: Sequence[Part], config: MixConfig) -> list[Entry]:
    """All entries in the order the config asks for."""
    seed = f"order-{config.seed}"
    if config.order == "mixed":
        return interleave([part.entries for part in parts], seed)
    first = config.order.removesuffix("-first")
    stages = sorted(DOMAINS, key=lambda domain: domain != first)
    return [
        entry
        for stage in stages
        for entry in interleave([part.entries for part in parts if part.domain == stage], f"{seed}-{stage}")
    ]


def mix(
    config: MixConfig,
    sources: Sequence[Wanted],
    request: str,
    *,
    open_one: Opener,
    count: Counter,
    advance: Callable[[float], None] = lambda step: None,
) -> Mix:
    """Cut every source to its quota and put the parts into one order. Deterministic by ``config`` and the data.

    The total never exceeds the budget and falls short of it by less than one Dialogue per source.
    """
    parts = [cut(open_one(one.config), one.quota, config.seed, count, advance) for one in sources]
    entries = arrange(parts, config)
    manifest = describe(config, request, medctx.__version__, parts, entries)
    return Mix(tuple(entry.dialogue for entry in entries), manifest)
