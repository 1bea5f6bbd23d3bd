"""Drawing one source's sample: the prefix of its rows that fits its quota, and the errors where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Domain
from medctx.text.book import TokenCount
from medctx_data.cleaning.exclusions import TOO_LONG, Exclusion
from medctx_data.cleaning.filters import Cleaned
from medctx_data.long_context.config import WrapConfig
from medctx_data.long_context.wrap import wrap
from medctx_data.mixture.budget import Draw, Filled, Sized, fill_budget, shuffled_epochs
from medctx_data.mixture.draft import Pick, SourceSample
from medctx_data.mixture.quota import Quota, SourceRequest
from medctx_data.row_store.rows import Rows, Spool
from medctx_data.sources.card import Supply
from medctx_data.tokens.count import Counter

T = TypeVar("T")
Advance = Callable[[float], None]

CHUNK = 64
"""Rows that are counted together: at most one chunk too many is counted."""


class PreparedSource(NamedTuple):
    """A source to draw from: a generated supply, or rows of which ``cleaned`` says which are usable.

    ``sizes`` holds tokens and loss tokens of every row, None where rows are counted as they are drawn; ``notes`` what
    was not read of rows or was cut.
    """

    request: SourceRequest
    supply: Supply
    rows: Rows
    cleaned: Cleaned
    notes: Mapping[str, int]
    sizes: NDArray[np.int64] | None = None


def is_wrapped(config: WrapConfig, domain: Domain) -> bool:
    """Return whether Dialogues of a domain get Books, so that their lengths are known only once they are drawn."""
    return config.share > 0 and domain in config.domains


@dataclass(frozen=True)
class Sizing:
    """How Dialogues that were not measured beforehand are sized: wrapped as ``wrap`` says, then counted."""

    count: Counter
    wrap: WrapConfig
    count_text: TokenCount

    def sized(self, draws: Iterator[Draw[Dialogue]], seed: str) -> Iterator[Sized[Dialogue]]:
        """Yield draws in their order with their lengths; each epoch is wrapped with a seed of its own."""
        draws = self._wrapped(draws, seed) if self.wrap.share else draws
        while chunk := list(islice(draws, CHUNK)):
            for draw, size in zip(chunk, self.count([draw.row for draw in chunk]), strict=True):
                yield Sized(draw.row, draw.epoch, *size)

    def _wrapped(self, draws: Iterator[Draw[Dialogue]], seed: str) -> Iterator[Draw[Dialogue]]:
        for epoch, members in groupby(draws, key=lambda draw: draw.epoch):
            for dialogue in wrap((draw.row for draw in members), self.wrap, self.count_text, f"{seed}-pass-{epoch}"):
                yield Draw(dialogue, epoch)


def _refuse(quota: Quota, filled: Filled[T]) -> None:
    if filled.short and quota.budget is not None:
        raise MedctxError(
            f"The source {quota.label!r} holds {filled.spent:,} {quota.by} but its share is {quota.budget:,}; "
            f"lower the key {quota.key}, give more data or set repeat to true."
        )
    if not filled.taken and filled.refused:
        raise MedctxError(
            f"The source {quota.label!r} gives nothing: its share is {quota.budget:,} {quota.by} and its first "
            f"Dialogue has {filled.refused:,}; raise the key {quota.key}."
        )
    if not filled.taken:
        raise MedctxError(
            f"The source {quota.label!r} gives nothing: none of {len(filled.too_long):,} Dialogues has at most "
            f"{quota.longest:,} tokens; raise the key max_tokens."
        )


def _cost(quota: Quota, row: Sized[T]) -> int:
    return {"tokens": row.tokens, "loss-tokens": row.loss_tokens, "examples": 1}[quota.by]


def _watched(rows: Iterator[Sized[T]], quota: Quota, advance: Advance) -> Iterator[Sized[T]]:
    """Yield the rows; each is reported once the next is requested, so the one that no longer fits is not."""
    for row in rows:
        yield row
        if row.tokens <= quota.longest:
            advance(_cost(quota, row))


def _fetched(rows: Rows, draws: Iterator[Draw[int]]) -> Iterator[Draw[Dialogue]]:
    """Turn row numbers into the rows."""
    while chunk := list(islice(draws, CHUNK)):
        for draw, dialogue in zip(chunk, rows.take([draw.row for draw in chunk]), strict=True):
            yield Draw(dialogue, draw.epoch)


def _filled(rows: Iterator[Sized[T]], quota: Quota, advance: Advance) -> Filled[T]:
    filled = fill_budget(
        _watched(rows, quota, advance),
        sys.maxsize if quota.budget is None else quota.budget,
        cost=lambda row: _cost(quota, row),
        longest=quota.longest,
        repeat=quota.repeat and quota.budget is not None,
    )
    _refuse(quota, filled)
    return filled


def _fill(source: PreparedSource, seed: int, sizing: Sizing, advance: Advance) -> tuple[Rows, Filled[int]]:
    quota, generator = source.request.quota, source.supply.generator
    name = f"{quota.label}-{seed}"
    if generator is None and source.sizes is not None:
        sizes: list[list[int]] = source.sizes.tolist()
        numbers = (Sized(draw.row, draw.epoch, *sizes[draw.row]) for draw in shuffled_epochs(source.cleaned.kept, name))
        return source.rows, _filled(numbers, quota, advance)
    draws = (
        _fetched(source.rows, shuffled_epochs(source.cleaned.kept, name))
        if generator is None
        else (Draw(dialogue, 1) for dialogue in generator)
    )
    spool = Spool()
    # Drawn Dialogues become rows of their own: they are generated, or wrapped and so differ from the source's rows.
    spooled = (Sized(spool.add(row.row), *row[1:]) for row in sizing.sized(draws, name))
    filled = _filled(spooled, quota, advance)
    return spool.rows(), filled


def draw_to_budget(source: PreparedSource, seed: int, sizing: Sizing, advance: Advance) -> SourceSample:
    """Draw the prefix of a source that fits its quota.

    Args:
        source: The source to draw from.
        seed: Seed of the order of its rows.
        sizing: How rows that were not measured are wrapped and counted.
        advance: Called with the cost of every row taken, in the unit of the quota.

    Raises:
        MedctxError: Nothing fits, or the source is too small and may not be repeated.
    """
    quota, generated = source.request.quota, source.supply.generator is not None
    if quota.budget == 0:
        raise MedctxError(
            f"The share of the source {quota.label!r} is less than one of {quota.by}; raise the key {quota.key}."
        )
    if quota.budget is None and generated:
        raise MedctxError(f"The source {quota.label!r} is generated without an end; give its amount as a number.")
    if not generated and not source.cleaned.kept:
        raise MedctxError(f"The source {quota.label!r} has no usable row; give another file, or clean it less.")
    rows, filled = _fill(source, seed, sizing, advance)
    too_long = rows.take([row.row for row in filled.too_long])
    return SourceSample(
        label=quota.label,
        domain=quota.domain,
        subdomain=source.request.subdomain,
        share=quota.share,
        budget=filled.spent if quota.budget is None else quota.budget,
        supply=source.supply,
        rows=rows,
        picks=tuple(Pick(*row) for row in filled.taken),
        usable=None if generated else len(source.cleaned.kept),
        epochs=None if generated else filled.reached / len(source.cleaned.kept),
        exclusions=(
            *source.cleaned.exclusions,
            *(Exclusion(source=quota.label, row=dialogue.id, reason=TOO_LONG) for dialogue in too_long),
        ),
        notes=source.notes,
    )
