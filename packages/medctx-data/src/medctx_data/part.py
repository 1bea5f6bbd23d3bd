"""One source's part of a mix: its prefix, with the sentences for a part that cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.records import Dialogue, Domain
from medctx_data.count import Counter, weigh
from medctx_data.mix_config import By
from medctx_data.portion import Draw, Filled, Weighed, fill, passes
from medctx_data.sources.card import SourceCard, Supply
from medctx_data.sources.clean import TOO_LONG


class Entry(NamedTuple):
    """A Dialogue of a mix and its length in tokens."""

    dialogue: Dialogue
    tokens: int


class Quota(NamedTuple):
    """What one source has to give: its exact share of the mix (0 to 1) and its budget in the unit ``by`` names."""

    label: str
    domain: Domain
    share: Fraction
    budget: int
    by: By
    longest: int
    repeat: bool


@dataclass(frozen=True)
class Part:
    """What one source gave. ``epochs``: passes over its rows, None for a generator."""

    label: str
    domain: Domain
    card: SourceCard
    citation: str
    share: Fraction
    budget: int
    entries: tuple[Entry, ...]
    epochs: float | None
    dropped: Mapping[str, int]

    @property
    def tokens(self) -> int:
        """Length of all its Dialogues together."""
        return sum(entry.tokens for entry in self.entries)


def _entry(row: Weighed[Dialogue]) -> Entry:
    """The Dialogue as it stands in the mix: repeated ones get an id of their own."""
    if row.epoch == 1:
        return Entry(row.row, row.tokens)
    return Entry(row.row.model_copy(update={"id": f"{row.row.id}/pass-{row.epoch}"}), row.tokens)


def _refuse(quota: Quota, filled: Filled[Dialogue]) -> None:
    if filled.short:
        raise MedctxError(
            f"The source {quota.label!r} holds {filled.spent:,} {quota.by} but its share is {quota.budget:,}; "
            f"lower the key {quota.by}, give more data or set repeat to true."
        )
    if not filled.taken and filled.refused:
        raise MedctxError(
            f"The source {quota.label!r} gives nothing: its share is {quota.budget:,} {quota.by} and its first "
            f"Dialogue has {filled.refused:,} tokens; raise the key {quota.by}."
        )
    if not filled.taken:
        raise MedctxError(
            f"The source {quota.label!r} gives nothing: none of {filled.too_long:,} Dialogues has at most "
            f"{quota.longest:,} tokens; raise the key max_tokens."
        )


def _watched(
    rows: Iterator[Weighed[Dialogue]], quota: Quota, advance: Callable[[float], None]
) -> Iterator[Weighed[Dialogue]]:
    """The same rows; each is reported once the next is asked for, so the one that no longer fits is not."""
    for row in rows:
        yield row
        if row.tokens <= quota.longest:
            advance(row.tokens if quota.by == "tokens" else 1)


def cut(supply: Supply, quota: Quota, seed: int, count: Counter, advance: Callable[[float], None]) -> Part:
    """The prefix of a source that fits its quota; ``advance`` is told what was taken, in the unit of the quota.

    Raises MedctxError where that is nothing, or where the source is too small and may not be repeated.
    """
    if not quota.budget:
        raise MedctxError(
            f"The share of the source {quota.label!r} is less than one of {quota.by}; raise the key {quota.by}."
        )
    draws = (
        (Draw(dialogue, 1) for dialogue in supply.endless)
        if supply.endless is not None
        else passes(supply.rows, f"{quota.label}-{seed}")
    )
    rows = _watched(weigh(draws, count), quota, advance)
    filled = fill(rows, quota.budget, by=quota.by, longest=quota.longest, repeat=quota.repeat)
    _refuse(quota, filled)
    dropped = {**supply.dropped, TOO_LONG: filled.too_long} if filled.too_long else dict(supply.dropped)
    return Part(
        label=quota.label,
        domain=quota.domain,
        card=supply.card,
        citation=supply.citation,
        share=quota.share,
        budget=quota.budget,
        entries=tuple(_entry(row) for row in filled.taken),
        epochs=None if supply.endless is not None else filled.reached / len(supply.rows),
        dropped=dropped,
    )
