"""What a mix turned out to be: the record that lies beside its Dialogues."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from medctx import digest
from medctx.records import Domain, Record
from medctx_data.mix_config import DOMAINS, By, MixConfig, Order
from medctx_data.part import Entry, Part

FIRST_BIN = 16


class Share(Record):
    """Asked and realised: shares are fractions of the whole mix (0 to 1); ``asked`` in the unit the mix goes ``by``."""

    asked: float
    tokens: int
    dialogues: int
    token_share: float
    dialogue_share: float


class DomainShare(Share):
    """One domain of the mix."""

    domain: Domain


class SourceShare(Share):
    """One source of the mix.

    ``budget``: in the unit of the mix. ``epochs``: passes over the file (0.12, 2.4), None for a generator.
    ``dropped``: rows left out by reason; ``too_long`` among the rows reached, the others in the whole file.
    ``licence``: of the Dialogues used.
    """

    label: str
    source: str
    domain: Domain
    budget: int
    epochs: float | None
    dropped: dict[str, int] = Field(default_factory=dict)
    licence: str
    restriction: str
    citation: str


class LengthBin(Record):
    """How many Dialogues are longer than half of ``upto`` tokens (the first bin: any) and at most ``upto``."""

    upto: int
    general: int
    medical: int


class MixManifest(Record):
    """A mix in numbers.

    ``digest``: of the Dialogues in their order. ``request``: of everything the mix follows from (config, files,
    tokenizer, version of medctx): the same request is the same mix. ``budget`` in the unit of ``by``.
    """

    medctx: str
    digest: str
    request: str
    seed: int
    ratio: str
    by: By
    order: Order
    budget: int
    tokens: int
    dialogues: int
    domains: tuple[DomainShare, ...]
    sources: tuple[SourceShare, ...]
    lengths: tuple[LengthBin, ...]


def histogram(entries: Sequence[Entry]) -> tuple[LengthBin, ...]:
    """Dialogue lengths in bins that double, from :data:`FIRST_BIN` tokens to the longest."""
    bins: dict[int, dict[Domain, int]] = {}
    for entry in entries:
        upto = max(FIRST_BIN, 1 << (entry.tokens - 1).bit_length())
        bins.setdefault(upto, dict.fromkeys(DOMAINS, 0))[entry.dialogue.domain] += 1
    if not bins:
        return ()
    edges = [FIRST_BIN << step for step in range((max(bins) // FIRST_BIN).bit_length())]
    empty: dict[Domain, int] = dict.fromkeys(DOMAINS, 0)
    return tuple(LengthBin(upto=edge, **bins.get(edge, empty)) for edge in edges)


def _share(asked: float, parts: Sequence[Part], tokens: int, dialogues: int) -> Share:
    own_tokens, own_dialogues = sum(part.tokens for part in parts), sum(len(part.entries) for part in parts)
    return Share(
        asked=asked,
        tokens=own_tokens,
        dialogues=own_dialogues,
        token_share=own_tokens / tokens if tokens else 0.0,
        dialogue_share=own_dialogues / dialogues if dialogues else 0.0,
    )


def _source(part: Part, tokens: int, dialogues: int) -> SourceShare:
    licences = sorted({entry.dialogue.licence for entry in part.entries})
    return SourceShare(
        **_share(float(part.share), [part], tokens, dialogues).model_dump(),
        label=part.label,
        source=part.card.name,
        domain=part.domain,
        budget=part.budget,
        epochs=part.epochs,
        dropped=dict(sorted(part.dropped.items())),
        licence="; ".join(licence or "not stated" for licence in licences) or part.card.licence,
        restriction=part.card.restriction,
        citation=part.citation,
    )


def describe(
    config: MixConfig, request: str, version: str, parts: Sequence[Part], entries: Sequence[Entry]
) -> MixManifest:
    """The manifest of ``entries`` in their final order, made of ``parts``."""
    tokens = sum(entry.tokens for entry in entries)
    return MixManifest(
        medctx=version,
        digest=digest.of_records(entry.dialogue for entry in entries),
        request=request,
        seed=config.seed,
        ratio=config.ratio,
        by=config.by,
        order=config.order,
        budget=config.budget,
        tokens=tokens,
        dialogues=len(entries),
        domains=tuple(
            DomainShare(
                **_share(
                    float(sum(part.share for part in parts if part.domain == domain)),
                    [part for part in parts if part.domain == domain],
                    tokens,
                    len(entries),
                ).model_dump(),
                domain=domain,
            )
            for domain in DOMAINS
        ),
        sources=tuple(_source(part, tokens, len(entries)) for part in parts),
        lengths=histogram(entries),
    )
