"""The quota of each source of a mix: its exact share and its budget, from ratio and weights or from amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.schemas.mix import By
from medctx.schemas.ratio import parse_ratio
from medctx.schemas.records import Domain
from medctx_data.mixture.budget import allocate, divide
from medctx_data.mixture.config import DOMAINS, MixConfig
from medctx_data.sources.card import SourceCard
from medctx_data.sources.cards import card_of, domain_of
from medctx_data.sources.config import SourceConfig

Level = tuple[str, Mapping[str, float]]
"""A key by which sources are grouped before they share a part (language, subdomain), and the weight of each group."""


class Quota(NamedTuple):
    """What one source contributes to a mix.

    Attributes:
        label: Label of the source.
        domain: Domain that it fills.
        share: Exact fraction of the whole mix (0 to 1); 0 for amounts until all of them are known.
        budget: Budget in the unit ``by``, None for the whole source once.
        by: Unit of the budget.
        longest: Longest Dialogue in tokens.
        repeat: Whether the source may be used several times.
    """

    label: str
    domain: Domain
    share: Fraction
    budget: int | None
    by: By
    longest: int
    repeat: bool

    @property
    def key(self) -> str:
        """The config key of the budget."""
        return self.by.replace("-", "_")


class SourceRequest(NamedTuple):
    """A configured source with a share of the mix, its card and its quota."""

    config: SourceConfig
    card: SourceCard
    quota: Quota

    @property
    def language(self) -> str:
        """The language of its rows, ``""`` where each row states its own."""
        return self.config.language or self.card.language

    @property
    def subdomain(self) -> str:
        """Its school of medicine, ``""`` where none is named."""
        return self.config.subdomain or self.card.subdomain


def _groups(members: Sequence[SourceRequest], key: str, names: Iterable[str]) -> dict[str, list[SourceRequest]]:
    """Group sources by language or sub-domain; every name needs a source and every source one of the names."""
    weighted = list(names)
    groups: dict[str, list[SourceRequest]] = {name: [] for name in weighted}
    for member in members:
        value: str = getattr(member, key)
        if value not in groups:
            raise MedctxError(
                f"The source {member.quota.label!r} has the {key} {value or 'that its rows state'!r}, which the key "
                f"{key}s does not weigh ({', '.join(weighted)}); give the source a key {key}, or add a weight."
            )
        groups[value].append(member)
    empty = [name for name, group in groups.items() if not group]
    if empty:
        raise MedctxError(
            f"The key {key}s asks for {empty[0]} Dialogues but no {members[0].quota.domain} source has that {key}; add "
            "one to the key sources or take the weight away."
        )
    return groups


def _divide(members: Sequence[SourceRequest], whole: Fraction, levels: Sequence[Level]) -> list[SourceRequest]:
    """Divide ``whole`` over sources: first over the groups of each level by weight, then by the sources' own shares."""
    if not levels:
        shares = divide(whole, [member.config.share for member in members])
        return [
            member._replace(quota=member.quota._replace(share=share))
            for member, share in zip(members, shares, strict=True)
        ]
    (key, weights), *further = levels
    groups = _groups(members, key, weights)
    parts = divide(whole, list(weights.values()))
    divided = [
        member for group, part in zip(groups.values(), parts, strict=True) for member in _divide(group, part, further)
    ]
    order = [member.quota.label for member in members]
    return sorted(divided, key=lambda member: order.index(member.quota.label))


def _by_amount(requests: Sequence[SourceRequest]) -> list[SourceRequest]:
    without = [request.quota.label for request in requests if request.config.amount is None]
    if without:
        raise MedctxError(
            f"The source {without[0]!r} has no amount but others have; give every source an amount, or none."
        )
    return [
        request._replace(
            quota=request.quota._replace(budget=None if request.config.amount == "all" else request.config.amount)
        )
        for domain in DOMAINS
        for request in requests
        if request.quota.domain == domain
    ]


def _total(config: MixConfig) -> Fraction:
    """The budget of the whole mix, which may be a fraction where that of one part is fixed."""
    if config.fixed == "total":
        return Fraction(config.budget)
    share = dict(zip(DOMAINS, parse_ratio(config.ratio), strict=True))[config.fixed]
    if not share:
        raise MedctxError(
            f"The {config.fixed} part is fixed but the ratio {config.ratio} has none; change the key fixed or ratio."
        )
    return config.budget / share


def source_requests(config: MixConfig) -> list[SourceRequest]:
    """Return the sources with a share of the mix, general ones first, with their quotas.

    Sources of a domain without a share are left out.

    Raises:
        MedctxError: A ratio, weight or amount has no source that could satisfy it.
    """
    requests = [
        SourceRequest(
            source,
            card_of(source.source),
            Quota(source.label, domain_of(source), Fraction(0), 0, config.by, config.max_tokens, config.repeat),
        )
        for source in config.sources
    ]
    if any(request.config.amount is not None for request in requests):
        return _by_amount(requests)
    total = _total(config)
    divided: list[SourceRequest] = []
    for domain, whole in zip(DOMAINS, parse_ratio(config.ratio), strict=True):
        members = [request for request in requests if request.quota.domain == domain]
        if not whole:
            continue
        if not members:
            raise MedctxError(
                f"The ratio {config.ratio} asks for {domain} Dialogues but no source is {domain}; "
                "add one to the key sources (medctx-data sources lists them)."
            )
        levels: list[Level] = []
        if config.languages:
            levels.append(("language", config.languages))
        if config.subdomains and domain == "medical":
            levels.append(("subdomain", {str(name): weight for name, weight in config.subdomains.items()}))
        divided += _divide(members, whole, levels)
    return [
        request._replace(quota=request.quota._replace(budget=allocate(total, request.quota.share)))
        for request in divided
    ]
