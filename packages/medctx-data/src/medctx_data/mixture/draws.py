"""One source's part of a mix: its prefix, with the sentences for a part that cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Domain
from medctx.text.book import TokenCount
from medctx_data.cleaning.filters import TOO_LONG, Cleaned, Exclusion
from medctx_data.long_context.wrap import WrapConfig, wrap
from medctx_data.mixture.budget import Draw, Filled, Sized, fill, passes
from medctx_data.mixture.quota import Quota, SourceRequest
from medctx_data.row_store.rows import Rows, Spool
from medctx_data.sources.card import Supply
from medctx_data.tokens.count import CHUNK, Counter, weigh

T = TypeVar("T")
Advance = Callable[[float], None]


class Pick(NamedTuple):
    """A row of a part: its number, the pass it was drawn in (from 1), its length in tokens."""

    row: int
    epoch: int
    tokens: int


def taken(rows: Rows, picks: Sequence[Pick]) -> list[Dialogue]:
    """Picks as they stand in the mix: repeated ones have an id of their own."""
    found = rows.take([pick.row for pick in picks])
    return [
        one if pick.epoch == 1 else one.model_copy(update={"id": f"{one.id}/pass-{pick.epoch}"})
        for pick, one in zip(picks, found, strict=True)
    ]


class Ready(NamedTuple):
    """A source to draw from: an endless supply, or rows of which ``cleaned`` says which are used.

    ``lengths``: of every row in tokens, None where they are counted as rows are drawn.
    """

    requested: SourceRequest
    supply: Supply
    rows: Rows
    cleaned: Cleaned
    lengths: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class SourceSample:
    """What one source gave. ``usable``: rows it could be drawn from and ``epochs`` passes over them, None for a
    generator.
    """

    requested: SourceRequest
    supply: Supply
    rows: Rows
    picks: tuple[Pick, ...]
    usable: int | None
    epochs: float | None
    budget: int
    exclusions: tuple[Exclusion, ...]

    @property
    def quota(self) -> Quota:
        """What it had to give."""
        return self.requested.quota

    @property
    def tokens(self) -> int:
        """Length of all its Dialogues together."""
        return sum(pick.tokens for pick in self.picks)


def is_wrapped(config: WrapConfig, domain: Domain) -> bool:
    """Whether Dialogues of a domain are given Books, so that their lengths are known only when they are drawn."""
    return config.share > 0 and domain in config.domains


@dataclass(frozen=True)
class Sizing:
    """How Dialogues that are not measured beforehand are weighed: wrapped as ``wrap`` says, then counted."""

    count: Counter
    wrap: WrapConfig
    count_text: TokenCount

    def weighed(self, draws: Iterator[Draw[Dialogue]], seed: str) -> Iterator[Sized[Dialogue]]:
        """Draws in their order, with their lengths; each pass is wrapped with a seed of its own."""
        return weigh(self._wrapped(draws, seed) if self.wrap.share else draws, self.count)

    def _wrapped(self, draws: Iterator[Draw[Dialogue]], seed: str) -> Iterator[Draw[Dialogue]]:
        for epoch, own in groupby(draws, key=lambda draw: draw.epoch):
            for dialogue in wrap((draw.row for draw in own), self.wrap, self.count_text, f"{seed}-pass-{epoch}"):
                yield Draw(dialogue, epoch)


def _refuse(quota: Quota, filled: Filled[T]) -> None:
    if filled.short and quota.budget is not None:
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
            f"The source {quota.label!r} gives nothing: none of {len(filled.too_long):,} Dialogues has at most "
            f"{quota.longest:,} tokens; raise the key max_tokens."
        )


def _watched(rows: Iterator[Sized[T]], quota: Quota, advance: Advance) -> Iterator[Sized[T]]:
    """The same rows; each is reported once the next is asked for, so the one that no longer fits is not."""
    for row in rows:
        yield row
        if row.tokens <= quota.longest:
            advance(row.tokens if quota.by == "tokens" else 1)


def _taken_out(rows: Rows, draws: Iterator[Draw[int]]) -> Iterator[Draw[Dialogue]]:
    """Numbers as the rows they stand for."""
    while chunk := list(islice(draws, CHUNK)):
        for draw, dialogue in zip(chunk, rows.take([draw.row for draw in chunk]), strict=True):
            yield Draw(dialogue, draw.epoch)


def _filled(rows: Iterator[Sized[T]], quota: Quota, advance: Advance) -> Filled[T]:
    whole = quota.budget is None
    budget = sys.maxsize if quota.budget is None else quota.budget
    filled = fill(
        _watched(rows, quota, advance), budget, by=quota.by, longest=quota.longest, repeat=quota.repeat and not whole
    )
    _refuse(quota, filled)
    return filled


def _spooled(rows: Iterator[Sized[Dialogue]], spool: Spool) -> Iterator[Sized[int]]:
    """Dialogues that are drawn as rows of their own, by their numbers."""
    for row in rows:
        yield Sized(spool.add(row.row), row.epoch, row.tokens)


def _fill(ready: Ready, seed: int, sizing: Sizing, advance: Advance) -> tuple[Rows, Filled[int]]:
    quota, endless = ready.requested.quota, ready.supply.endless
    name = f"{quota.label}-{seed}"
    if endless is None and ready.lengths is not None:
        lengths: list[int] = ready.lengths.tolist()
        numbers = (Sized(draw.row, draw.epoch, lengths[draw.row]) for draw in passes(ready.cleaned.kept, name))
        return ready.rows, _filled(numbers, quota, advance)
    draws = (
        _taken_out(ready.rows, passes(ready.cleaned.kept, name))
        if endless is None
        else (Draw(dialogue, 1) for dialogue in endless)
    )
    spool = Spool()
    filled = _filled(_spooled(sizing.weighed(draws, name), spool), quota, advance)
    return spool.rows(), filled


def draw_to_budget(ready: Ready, seed: int, sizing: Sizing, advance: Advance) -> SourceSample:
    """The prefix of a source that fits its quota; ``advance`` is told what was taken, in the unit of the quota.

    Raises MedctxError where that is nothing, or where the source is too small and may not be repeated.
    """
    quota, generated = ready.requested.quota, ready.supply.endless is not None
    if quota.budget == 0:
        raise MedctxError(
            f"The share of the source {quota.label!r} is less than one of {quota.by}; raise the key {quota.by}."
        )
    if quota.budget is None and generated:
        raise MedctxError(f"The source {quota.label!r} is generated without an end; give its amount as a number.")
    if not generated and not ready.cleaned.kept:
        raise MedctxError(f"The source {quota.label!r} has no usable row; give another file, or clean it less.")
    rows, filled = _fill(ready, seed, sizing, advance)
    long = rows.take([row.row for row in filled.too_long])
    exclusions = (
        *ready.cleaned.exclusions,
        *(Exclusion(source=quota.label, row=one.id, reason=TOO_LONG) for one in long),
    )
    return SourceSample(
        requested=ready.requested,
        supply=ready.supply,
        rows=rows,
        picks=tuple(Pick(*row) for row in filled.taken),
        usable=None if generated else len(ready.cleaned.kept),
        epochs=None if generated else filled.reached / len(ready.cleaned.kept),
        budget=filled.spent if quota.budget is None else quota.budget,
        exclusions=exclusions,
    )
