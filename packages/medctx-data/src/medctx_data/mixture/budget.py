"""Arithmetic of a mix as pure functions: budgets, prefixes and orders. Nothing here reads files or counts tokens.

Subsets are nested by two rules: every source has one fixed order, of which a mix takes a prefix, and a budget that is
rounded down grows with the total and with the share. So a smaller amount of a source is a prefix of a larger one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from random import Random
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

PATIENCE = 5_000
"""Rows that may be too long from the beginning of a source, with none short enough, before it is given up."""


class Draw(NamedTuple, Generic[T]):
    """A row of a source and the epoch in which it was drawn, counted from 1."""

    row: T
    epoch: int


class Sized(NamedTuple, Generic[T]):
    """A drawn row with its length in tokens, and how many of them carry loss."""

    row: T
    epoch: int
    tokens: int
    loss_tokens: int


class Filled(NamedTuple, Generic[T]):
    """The prefix of a source that fits a budget.

    Attributes:
        taken: The rows of the prefix.
        spent: Their total cost, in the unit of the budget.
        reached: Number of rows looked at, too long ones included.
        too_long: Rows above the length limit, each once.
        short: Whether the source ended before the budget and was not to be repeated.
        refused: Cost of the first row that no longer fitted, 0 where there was none.
    """

    taken: tuple[Sized[T], ...]
    spent: int
    reached: int
    too_long: tuple[Sized[T], ...]
    short: bool
    refused: int


def allocate(total: int | Fraction, share: Fraction) -> int:
    """Return the budget of a share (0 to 1) of ``total``, rounded down.

    Rounding to the nearest integer with redistributed remainders could lower a budget when the total grows.
    """
    return int(total * share)


def divide(whole: Fraction, weights: Sequence[float]) -> list[Fraction]:
    """Divide ``whole`` in proportion to ``weights`` (above 0), exactly."""
    exact = [Fraction(str(weight)) for weight in weights]
    return [whole * weight / sum(exact) for weight in exact]


def shuffled_epochs(rows: Sequence[T], seed: str) -> Iterator[Draw[T]]:
    """Yield rows in endless epochs, each in its own order by ``seed``; no row repeats within an epoch."""
    epoch = 0
    while rows:
        epoch += 1
        order = list(range(len(rows)))
        Random(f"{seed}-pass-{epoch}").shuffle(order)
        for index in order:
            yield Draw(rows[index], epoch)


def fill_budget(
    rows: Iterable[Sized[T]], budget: int, *, cost: Callable[[Sized[T]], int], longest: int, repeat: bool
) -> Filled[T]:
    """Take rows from the beginning until the next one would exceed ``budget``; rows above ``longest`` are left out.

    A smaller row further on is not taken to fill the gap: the result is a prefix.
    """
    taken: list[Sized[T]] = []
    too_long: list[Sized[T]] = []
    spent = reached = refused = 0
    short = False
    for row in rows:
        if not taken and (row.epoch > 1 or reached >= PATIENCE):
            break
        if row.tokens > longest:
            reached += 1
            if row.epoch == 1:
                too_long.append(row)
            continue
        price = cost(row)
        if spent + price > budget:
            refused = price
            break
        if row.epoch > 1 and not repeat:
            short = True
            break
        reached += 1
        spent += price
        taken.append(row)
    return Filled(tuple(taken), spent, reached, tuple(too_long), short, refused)


def interleave(parts: Sequence[Sequence[T]], seed: str) -> list[T]:
    """Merge the rows of all parts into one order, each part spread evenly and kept in its own order.

    The n rows of a part fall one into each n-th of the whole, at a place drawn by ``seed``: at every point of training
    each part is within one row of its share for two parts, within as many rows as there are parts otherwise.
    """
    rng = Random(seed)
    placed = [
        ((place + rng.random()) / len(part), number, row)
        for number, part in enumerate(parts)
        for place, row in enumerate(part)
    ]
    return [row for _, _, row in sorted(placed, key=lambda entry: entry[:2])]
