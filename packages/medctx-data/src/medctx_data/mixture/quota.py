"""What each source of a mix has to give: its exact share and its budget, from ratio and weights or from amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.schemas.mix import By
from medctx.schemas.records import Domain
from medctx_data.mixture.budget import allocate, split
from medctx_data.mixture.config import DOMAINS, MixConfig, parse_ratio
from medctx_data.sources.card import SourceCard
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import card_of, domain_of

Level = tuple[str, Mapping[str, float]]
"""What sources are grouped by before they share a part (language, subdomain), and the weight of each group."""


class Quota(NamedTuple):
    """What one source has to give.

    ``share``: of the whole mix, exactly (0 to 1; of amounts it is known when all of them are). ``budget``: in the unit
    ``by`` names, None for the whole source once. ``longest``: tokens a Dialogue may have.
    """

    label: str
    domain: Domain
    share: Fraction
    budget: int | None
    by: By
    longest: int
    repeat: bool


class SourceRequest(NamedTuple):
    """A configured source that has a share, and its quota."""

    config: SourceConfig
    card: SourceCard
    quota: Quota

    @property
    def language(self) -> str:
        """The language of its rows, "" where each states its own."""
        return self.config.language or self.card.language

    @property
    def subdomain(self) -> str:
        """Its school of medicine, "" where none is named."""
        return self.config.subdomain or self.card.subdomain


def _quota(config: MixConfig, source: SourceConfig, domain: Domain, share: Fraction, budget: int | None) -> Quota:
    return Quota(source.label, domain, share, budget, config.by, config.max_tokens, config.repeat)


def _groups(members: Sequence[SourceRequest], key: str, names: Iterable[str]) -> dict[str, list[SourceRequest]]:
    """Sources by language or sub-domain; every name asked for has sources and every source has a name asked for."""
    asked = list(names)
    groups: dict[str, list[SourceRequest]] = {name: [] for name in asked}
    for one in members:
        own: str = getattr(one, key)
        if own not in groups:
            raise MedctxError(
                f"The source {one.quota.label!r} has the {key} {own or 'that its rows state'!r}, which the key {key}s "
                f"does not weigh ({', '.join(asked)}); give the source a key {key}, or add a weight."
            )
        groups[own].append(one)
    empty = [name for name, own in groups.items() if not own]
    if empty:
        raise MedctxError(
            f"The key {key}s asks for {empty[0]} Dialogues but no {members[0].quota.domain} source has that {key}; add "
            "one to the key sources or take the weight away."
        )
    return groups


def _divide(members: Sequence[SourceRequest], whole: Fraction, levels: Sequence[Level]) -> list[SourceRequest]:
    """``whole`` over sources: first over the groups of each level by weight, then by the sources' own shares."""
    if not levels:
        shares = split([one.config.share for one in members], whole)
        return [one._replace(quota=one.quota._replace(share=share)) for one, share in zip(members, shares, strict=True)]
    (key, weights), *further = levels
    groups = _groups(members, key, weights)
    parts = split(list(weights.values()), whole)
    divided = [one for own, part in zip(groups.values(), parts, strict=True) for one in _divide(own, part, further)]
    order = [one.quota.label for one in members]
    return sorted(divided, key=lambda one: order.index(one.quota.label))


def _by_amount(config: MixConfig, placed: Sequence[SourceRequest]) -> list[SourceRequest]:
    without = [one.quota.label for one in placed if one.config.amount is None]
    if without:
        raise MedctxError(
            f"The source {without[0]!r} has no amount but others have; give every source an amount, or none."
        )
    found = []
    for domain in DOMAINS:
        for one in placed:
            if one.quota.domain == domain:
                budget = None if one.config.amount == "all" else one.config.amount
                found.append(one._replace(quota=one.quota._replace(budget=budget)))
    return found


def _total(config: MixConfig) -> Fraction:
    """The budget of the whole, which may be a fraction where that of one part is fixed."""
    if config.fixed == "total":
        return Fraction(config.budget)
    share = dict(zip(DOMAINS, parse_ratio(config.ratio), strict=True))[config.fixed]
    if not share:
        raise MedctxError(
            f"The {config.fixed} part is fixed but the ratio {config.ratio} has none; change the key fixed or ratio."
        )
    return config.budget / share


def requested(config: MixConfig) -> list[SourceRequest]:
    """The sources that have a share of the mix, general ones first, with their quotas.

    Sources of a domain without a share are left out. Raises MedctxError where something is asked of sources that none
    can give.
    """
    placed = [
        SourceRequest(source, card_of(source.source), _quota(config, source, domain_of(source), Fraction(0), 0))
        for source in config.sources
    ]
    if any(one.config.amount is not None for one in placed):
        return _by_amount(config, placed)
    total = _total(config)
    found: list[SourceRequest] = []
    for domain, whole in zip(DOMAINS, parse_ratio(config.ratio), strict=True):
        own = [one for one in placed if one.quota.domain == domain]
        if not whole:
            continue
        if not own:
            raise MedctxError(
                f"The ratio {config.ratio} asks for {domain} Dialogues but no source is {domain}; "
                "add one to the key sources (medctx-data sources lists them)."
            )
        levels: list[Level] = []
        if config.languages:
            levels.append(("language", config.languages))
        if config.subdomains and domain == "medical":
            levels.append(("subdomain", {str(name): weight for name, weight in config.subdomains.items()}))
        found += _divide(own, whole, levels)
    return [one._replace(quota=one.quota._replace(budget=allocate(total, one.quota.share))) for one in found]
