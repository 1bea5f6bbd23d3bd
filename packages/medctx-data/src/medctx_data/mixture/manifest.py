"""What a mix turned out to be: the record that lies beside its Dialogues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import medctx
from medctx.schemas.mix import (
    DomainShare,
    GroupShare,
    LengthBin,
    MixManifest,
    Share,
    SourceShare,
)
from medctx.schemas.records import Domain
from medctx_data.cleaning.filters import tally
from medctx_data.mixture.compose import Draft, Observed
from medctx_data.mixture.config import DOMAINS
from medctx_data.mixture.draws import SourceSample

FIRST_BIN = 16


def histogram(draft: Draft) -> tuple[LengthBin, ...]:
    """Dialogue lengths in bins that double, from :data:`FIRST_BIN` tokens to the longest."""
    bins: dict[int, dict[Domain, int]] = {}
    for part in draft.parts:
        for pick in part.picks:
            upto = max(FIRST_BIN, 1 << (pick.tokens - 1).bit_length())
            bins.setdefault(upto, dict.fromkeys(DOMAINS, 0))[part.quota.domain] += 1
    if not bins:
        return ()
    edges = [FIRST_BIN << step for step in range((max(bins) // FIRST_BIN).bit_length())]
    empty: dict[Domain, int] = dict.fromkeys(DOMAINS, 0)
    return tuple(LengthBin(upto=edge, **bins.get(edge, empty)) for edge in edges)


def _fraction(some: int, whole: int) -> float:
    return some / whole if whole else 0.0


def _share(asked: float, parts: Sequence[SourceSample], tokens: int, dialogues: int) -> Share:
    own_tokens, own_dialogues = sum(part.tokens for part in parts), sum(len(part.picks) for part in parts)
    return Share(
        asked=asked,
        tokens=own_tokens,
        dialogues=own_dialogues,
        token_share=_fraction(own_tokens, tokens),
        dialogue_share=_fraction(own_dialogues, dialogues),
    )


def _source(part: SourceSample, licences: Iterable[str], tokens: int, dialogues: int) -> SourceShare:
    card, supply = part.supply.card, part.supply
    return SourceShare(
        **_share(float(part.quota.share), [part], tokens, dialogues).model_dump(),
        label=part.quota.label,
        source=card.name,
        domain=part.quota.domain,
        subdomain=part.requested.subdomain,
        budget=part.budget,
        rows=part.usable,
        epochs=part.epochs,
        dropped=tally(part.exclusions),
        licence="; ".join(licence or "not stated" for licence in sorted(licences)) or card.licence,
        restriction=card.restriction,
        citation=supply.citation,
        revision=supply.revision,
        identity=supply.identity,
    )


def _groups(draft: Draft, counts: Iterable[tuple[SourceSample, str, int, int]]) -> tuple[GroupShare, ...]:
    """Shares of what ``counts`` (part, name, tokens, Dialogues) name, within their domains."""
    sums: dict[tuple[Domain, str], tuple[int, int]] = {}
    for part, name, tokens, dialogues in counts:
        before = sums.get((part.quota.domain, name), (0, 0))
        sums[part.quota.domain, name] = (before[0] + tokens, before[1] + dialogues)
    found = []
    for (domain, name), (tokens, dialogues) in sorted(sums.items()):
        whole = [part for part in draft.parts if part.quota.domain == domain]
        found.append(
            GroupShare(
                domain=domain,
                name=name,
                tokens=tokens,
                dialogues=dialogues,
                token_share=_fraction(tokens, sum(part.tokens for part in whole)),
                dialogue_share=_fraction(dialogues, sum(len(part.picks) for part in whole)),
            )
        )
    return tuple(found)


def _asked(draft: Draft) -> tuple[str, int | None]:
    """The ratio and the budget as they were asked; of amounts the ratio that follows from them."""
    config = draft.config
    if all(source.amount is None for source in config.sources):
        return config.ratio, config.budget
    sums = [sum(part.budget for part in draft.parts if part.quota.domain == domain) for domain in DOMAINS]
    return ":".join(map(str, sums)), None


def describe(draft: Draft, observed: Observed) -> MixManifest:
    """The manifest of a draft whose Dialogues have all gone by."""
    config, parts = draft.config, draft.parts
    tokens, dialogues = sum(part.tokens for part in parts), len(draft.entries)
    ratio, budget = _asked(draft)
    counts = observed.counts
    by_domain = {domain: [part for part in parts if part.quota.domain == domain] for domain in DOMAINS}
    return MixManifest(
        medctx=medctx.__version__,
        digest=observed.digest.hex(),
        request=draft.request,
        seed=config.seed,
        ratio=ratio,
        by=config.by,
        order=config.order,
        fixed=config.fixed,
        budget=budget,
        tokens=tokens,
        dialogues=dialogues,
        wrapped=config.wrap.share,
        format=config.format,
        domains=tuple(
            DomainShare(
                **_share(float(sum(part.quota.share for part in own)), own, tokens, dialogues).model_dump(),
                domain=domain,
            )
            for domain, own in by_domain.items()
        ),
        sources=tuple(
            _source(part, counts.licences.get(number, ()), tokens, dialogues) for number, part in enumerate(parts)
        ),
        languages=_groups(draft, ((parts[number], name, *both) for (number, name), both in counts.languages.items())),
        subdomains=_groups(
            draft,
            (
                (part, part.requested.subdomain, part.tokens, len(part.picks))
                for part in parts
                if part.requested.subdomain
            ),
        ),
        lengths=histogram(draft),
    )
