"""Describing a written mix: the manifest with requested and realised shares, groups and lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import medctx
from medctx.schemas.mix import DomainShare, GroupShare, LengthBin, MixManifest, Share, SourceShare
from medctx.schemas.records import Domain
from medctx_data.cleaning.exclusions import tally
from medctx_data.mixture.config import DOMAINS
from medctx_data.mixture.draft import Draft, Observed, SourceSample

FIRST_BIN = 16


def histogram(draft: Draft) -> tuple[LengthBin, ...]:
    """Count Dialogue lengths in bins that double, from ``FIRST_BIN`` tokens to the longest."""
    bins: dict[int, dict[Domain, int]] = {}
    for sample in draft.samples:
        for pick in sample.picks:
            upto = max(FIRST_BIN, 1 << (pick.tokens - 1).bit_length())
            bins.setdefault(upto, dict.fromkeys(DOMAINS, 0))[sample.domain] += 1
    if not bins:
        return ()
    edges = [FIRST_BIN << step for step in range((max(bins) // FIRST_BIN).bit_length())]
    empty: dict[Domain, int] = dict.fromkeys(DOMAINS, 0)
    return tuple(LengthBin(upto=edge, **bins.get(edge, empty)) for edge in edges)


def _fraction(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


class _Totals:
    """Tokens, loss tokens and Dialogues of some samples."""

    def __init__(self, samples: Sequence[SourceSample]) -> None:
        self.tokens = sum(sample.tokens for sample in samples)
        self.loss_tokens = sum(sample.loss_tokens for sample in samples)
        self.dialogues = sum(len(sample.picks) for sample in samples)

    def share_of(self, whole: _Totals, requested: float) -> Share:
        """Requested and realised share of ``whole``."""
        return Share(
            asked=requested,
            tokens=self.tokens,
            dialogues=self.dialogues,
            token_share=_fraction(self.tokens, whole.tokens),
            dialogue_share=_fraction(self.dialogues, whole.dialogues),
            loss_tokens=self.loss_tokens,
            loss_share=_fraction(self.loss_tokens, whole.loss_tokens),
        )


def _source(sample: SourceSample, licences: Iterable[str], whole: _Totals) -> SourceShare:
    card, supply = sample.supply.card, sample.supply
    return SourceShare(
        **_Totals([sample]).share_of(whole, float(sample.share)).model_dump(),
        label=sample.label,
        source=card.name,
        domain=sample.domain,
        subdomain=sample.subdomain,
        budget=sample.budget,
        rows=sample.usable,
        epochs=sample.epochs,
        dropped=tally(sample.exclusions),
        licence="; ".join(licence or "not stated" for licence in sorted(licences)) or card.licence,
        restriction=card.restriction,
        citation=supply.citation,
        revision=supply.revision,
        identity=supply.identity,
        files=supply.files,
        notes=dict(sorted(sample.notes.items())),
    )


def _groups(draft: Draft, counts: Iterable[tuple[SourceSample, str, int, int]]) -> tuple[GroupShare, ...]:
    """Shares of named groups within their domains; ``counts`` are (sample, name, tokens, Dialogues)."""
    sums: dict[tuple[Domain, str], tuple[int, int]] = {}
    for sample, name, tokens, dialogues in counts:
        before = sums.get((sample.domain, name), (0, 0))
        sums[sample.domain, name] = (before[0] + tokens, before[1] + dialogues)
    shares = []
    for (domain, name), (tokens, dialogues) in sorted(sums.items()):
        whole = _Totals([sample for sample in draft.samples if sample.domain == domain])
        shares.append(
            GroupShare(
                domain=domain,
                name=name,
                tokens=tokens,
                dialogues=dialogues,
                token_share=_fraction(tokens, whole.tokens),
                dialogue_share=_fraction(dialogues, whole.dialogues),
            )
        )
    return tuple(shares)


def _ratio_and_budget(draft: Draft) -> tuple[str, int | None]:
    """The configured ratio and budget; for amounts the ratio that follows from them."""
    config = draft.config
    if all(source.amount is None for source in config.sources):
        return config.ratio, config.budget
    sums = [sum(sample.budget for sample in draft.samples if sample.domain == domain) for domain in DOMAINS]
    return ":".join(map(str, sums)), None


def describe_mix(draft: Draft, observed: Observed) -> MixManifest:
    """Return the manifest of a draft; ``observed`` must have seen all its Dialogues."""
    config, samples, counts = draft.config, draft.samples, observed.counts
    whole = _Totals(samples)
    ratio, budget = _ratio_and_budget(draft)
    by_domain = {domain: [sample for sample in samples if sample.domain == domain] for domain in DOMAINS}
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
        tokens=whole.tokens,
        loss_tokens=whole.loss_tokens,
        dialogues=whole.dialogues,
        wrapped=config.wrap.share,
        format=config.format,
        domains=tuple(
            DomainShare(
                **_Totals(members).share_of(whole, float(sum(sample.share for sample in members))).model_dump(),
                domain=domain,
            )
            for domain, members in by_domain.items()
        ),
        sources=tuple(_source(sample, counts.licences.get(number, ()), whole) for number, sample in enumerate(samples)),
        languages=_groups(
            draft,
            ((samples[number], name, *sizes) for (number, name), sizes in counts.languages.items()),
        ),
        subdomains=_groups(
            draft,
            ((sample, sample.subdomain, sample.tokens, len(sample.picks)) for sample in samples if sample.subdomain),
        ),
        lengths=histogram(draft),
    )
