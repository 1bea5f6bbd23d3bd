"""Which items the browser shows, by a rule that the page states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medctx_eval.report.load.view import Sheet

GAINED, LOST, FLIPPED = 1, 2, 4


@dataclass(frozen=True)
class Changes:
    """What happened to every seat in every cell, against its base: ``flags`` (C, N) add up GAINED, LOST and FLIPPED.

    Gained and lost are seats that a cell got right in more or in fewer of its answers (orders, training seeds) than
    the base; flipped are those whose answer changed with the order of the options, in this mode or, where it was asked
    in one order, in another. ``size`` (C, N) is by how much.
    """

    cells: tuple[str, ...]
    flags: NDArray[np.uint8]
    size: NDArray[np.float64]


def _flipped(sheet: Sheet, cell: str) -> NDArray[np.bool_]:
    """(N,): in any of the cell's runs the answer is not the same in all orders."""
    aligned, rows = sheet.aligned, list(sheet.rows[cell])
    chosen = aligned.chosen[rows]
    least = np.minimum.reduceat(chosen, aligned.starts, axis=1)
    return np.asarray((least != np.maximum.reduceat(chosen, aligned.starts, axis=1)).any(axis=0))


def _seats_in(sheet: Sheet, other: Sheet) -> NDArray[np.int64]:
    """(N,) the seat of another mode's sheet that asks the same item under the same Condition; -1 where none does."""

    def asked(own: Sheet) -> list[tuple[str, str]]:
        aligned = own.aligned
        planned_items = zip(
            aligned.item[aligned.starts].tolist(), aligned.condition[aligned.starts].tolist(), strict=True
        )
        return [(aligned.items[item], aligned.conditions[condition]) for item, condition in planned_items]

    places = {planned_item: place for place, planned_item in enumerate(asked(other))}
    return np.array([places.get(planned_item, -1) for planned_item in asked(sheet)], dtype=np.int64)


def turned(sheets: Sequence[Sheet]) -> Sheet | None:
    """The first sheet whose options were asked in several orders."""
    return next((one for one in sheets if (one.aligned.sizes > 1).any()), None)


def _flips(sheet: Sheet, other: Sheet | None) -> dict[str, NDArray[np.bool_]]:
    """By cell, (N,): whether the answer changed with the order of the options in ``other``, which may be ``sheet``."""
    nothing = np.zeros(len(sheet.clusters), dtype=np.bool_)
    if other is None:
        return dict.fromkeys(sheet.cells, nothing)
    planned_items = _seats_in(sheet, other)
    return {
        cell: (planned_items >= 0) & _flipped(other, cell)[planned_items] if cell in other.cells else nothing
        for cell in sheet.cells
    }


def changes(sheets: Sequence[Sheet], bases: Mapping[str, str]) -> Changes:
    """Every cell of the first sheet against the one that ``bases`` names for it; against none nothing is gained or
    lost. Of the other modes' sheets only flips are read.
    """
    sheet = sheets[0]
    flips = _flips(sheet, turned(sheets))
    values = sheet.aligned.values
    means = {cell: values[list(rows)].mean(axis=0) for cell, rows in sheet.rows.items()}
    flags, size = [], []
    for cell in sheet.cells:
        base = means.get(bases.get(cell, ""))
        change = np.zeros(len(sheet.clusters)) if base is None else means[cell] - base
        flipped = FLIPPED * flips[cell]
        flags.append(GAINED * (change > 1e-9) + LOST * (change < -1e-9) + flipped)
        size.append(np.abs(change) + 0.1 * (flipped > 0))
    return Changes(sheet.cells, np.array(flags, dtype=np.uint8), np.array(size))


def _turns(sheet: Sheet, found: Changes, limit: int) -> Iterator[list[int]]:
    """Item codes of every cell, kind of change and Condition, at most ``limit`` each, largest changes first."""
    aligned = sheet.aligned
    items, conditions = aligned.item[aligned.starts], aligned.condition[aligned.starts]
    for flag in (LOST, GAINED, FLIPPED):
        for row in range(len(found.cells)):
            having = np.flatnonzero(found.flags[row] & flag)
            ordered = having[np.argsort(-found.size[row][having], kind="stable")]
            for condition in range(len(aligned.conditions)):
                yield items[ordered[conditions[ordered] == condition][:limit]].tolist()


def chosen(sheets: Sequence[Sheet], bases: Mapping[str, str], limit: int) -> tuple[list[int], Changes]:
    """At most ``limit`` item codes in the order they were taken, and what changed.

    From every cell, kind of change and Condition one item in turn, largest changes first; then, while there is room,
    other items evenly spread.
    """
    sheet, found = sheets[0], changes(sheets, bases)
    lists = [own for own in _turns(sheet, found, limit) if own]
    taken: dict[int, None] = {}
    for turn in range(max(map(len, lists), default=0)):
        for own in lists:
            if turn < len(own) and len(taken) < limit:
                taken[own[turn]] = None
    every = len(sheet.aligned.items)
    rest = [code for code in np.argsort(sheet.aligned.items).tolist() if code not in taken]
    room = limit - len(taken)
    if room > 0 and rest:
        spread = np.linspace(0, len(rest) - 1, min(room, len(rest))).round().astype(int)
        taken |= dict.fromkeys(rest[place] for place in spread.tolist())
    assert len(taken) <= every
    return list(taken), found
