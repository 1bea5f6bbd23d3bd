"""The arithmetic of a mix as pure functions: budgets, prefixes and orders. Nothing here reads or counts.

Nesting follows from two rules. Every source has one fixed order, of which a mix takes a prefix; and a budget
rounded down grows with the total and with the share. So less of a source is always the beginning of more of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from random import Random
from typing import Generic, NamedTuple, TypeVar

from medctx.schemas.mix import By

T = TypeVar("T")

PATIENCE = 5_000
"""So many Dialogues in a row above the longest allowed, and none below it, and a source is given up."""


class Draw(NamedTuple, Generic[T]):
    """A row of a source and the pass it was drawn in, counted from 1."""

    row: T
    epoch: int


class Sized(NamedTuple, Generic[T]):
    """A drawn row and its length in tokens."""

    row: T
    epoch: int
    tokens: int


class Filled(NamedTuple, Generic[T]):
    """The prefix of a source that fits a budget.

    ``spent``: in the unit of the budget. ``reached``: rows looked at, those too long included; ``too_long``: these,
    each once. ``short``: the source ended before the budget did and was not to be repeated. ``refused``: length in
    tokens of the first row left out.
    """

    taken: tuple[Sized[T], ...]
    spent: int
    reached: int
    too_long: tuple[Sized[T], ...]
    short: bool
    refused: int


def allocate(total: int | Fraction, share: Fraction) -> int:
    """The budget of a share (0 to 1) of ``total``, rounded down.

    Rounding to the nearest, with remainders handed out, would sometimes take one away when the total grows.
    """
    return int(total * share)


def split(weights: Sequence[float], whole: Fraction) -> list[Fraction]:
    """``whole`` divided in proportion to ``weights`` (above 0), exactly."""
    exact = [Fraction(str(weight)) for weight in weights]
    return [whole * weight / sum(exact) for weight in exact]


def passes(rows: Sequence[T], seed: str) -> Iterator[Draw[T]]:
    """Rows in endless passes, each in its own order by ``seed``; no row stands twice in a pass."""
    epoch = 0
    while rows:
        epoch += 1
        order = list(range(len(rows)))
        Random(f"{seed}-pass-{epoch}").shuffle(order)
        for index in order:
            yield Draw(rows[index], epoch)


def fill(weighed: Iterable[Sized[T]], budget: int, *, by: By, longest: int, repeat: bool) -> Filled[T]:
    """Take rows from the beginning until the next one would exceed ``budget``; rows above ``longest`` are left out.

    A smaller row further on is not fetched to close the gap: the result is a prefix.
    """
    taken: list[Sized[T]] = []
    too_long: list[Sized[T]] = []
    spent = reached = refused = 0
    short = False
    for row in weighed:
        if not taken and (row.epoch > 1 or reached >= PATIENCE):
            break
        if row.tokens > longest:
            reached += 1
            if row.epoch == 1:
                too_long.append(row)
            continue
        price = row.tokens if by == "tokens" else 1
        if spent + price > budget:
            refused = row.tokens
            break
        if row.epoch > 1 and not repeat:
            short = True
            break
        reached += 1
        spent += price
        taken.append(row)
    return Filled(tuple(taken), spent, reached, tuple(too_long), short, refused)


def interleave(parts: Sequence[Sequence[T]], seed: str) -> list[T]:
    """All rows of all parts in one order, each part spread evenly and kept in its own order.

    The n rows of a part fall one into each n-th of the whole, at a place drawn by ``seed``: at every point of training
    each part is within one row of its share where there are two, within as many rows as there are parts otherwise.
    """
    rng = Random(seed)
    placed = [
        ((place + rng.random()) / len(part), number, row)
        for number, part in enumerate(parts)
        for place, row in enumerate(part)
    ]
    return [row for _, _, row in sorted(placed, key=lambda entry: entry[:2])]
