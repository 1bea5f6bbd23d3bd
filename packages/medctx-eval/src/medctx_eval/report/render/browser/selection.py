"""Which items the browser shows, by a rule stated on the page.

Shapes: C cells, N planned items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medctx_eval.report.load.verdict_matrix import MaskArray
from medctx_eval.report.load.view import FloatArray, ModeView

GAINED, LOST, FLIPPED = 1, 2, 4


@dataclass(frozen=True)
class Changes:
    """Changes of every planned item in every cell against its base.

    Attributes:
        cells: Names of the cells.
        flags: Sum of GAINED, LOST and FLIPPED, (C, N). Gained and lost are planned items that a cell answered correctly
            in more or fewer of its answers (option orders, training seeds) than the base. Flipped are those whose
            answer changed with the option order, in this mode or in the mode asked in several orders.
        size: Size of the change, (C, N).
    """

    cells: tuple[str, ...]
    flags: NDArray[np.uint8]
    size: FloatArray


def _flipped(view: ModeView, cell: str) -> MaskArray:
    """Whether any run of the cell gives different answers in different option orders, (N,)."""
    matrix, rows = view.matrix, list(view.rows[cell])
    chosen = matrix.chosen[rows]
    smallest = np.minimum.reduceat(chosen, matrix.starts, axis=1)
    return np.asarray((smallest != np.maximum.reduceat(chosen, matrix.starts, axis=1)).any(axis=0))


def _matching_items(view: ModeView, other: ModeView) -> NDArray[np.int64]:
    """Planned item of another mode with the same item and condition, (N,); -1 if there is none."""

    def names(mode_view: ModeView) -> list[tuple[str, str]]:
        matrix = mode_view.matrix
        codes = zip(matrix.item[matrix.starts].tolist(), matrix.condition[matrix.starts].tolist(), strict=True)
        return [(matrix.items[item], matrix.conditions[condition]) for item, condition in codes]

    places = {name: place for place, name in enumerate(names(other))}
    return np.array([places.get(name, -1) for name in names(view)], dtype=np.int64)


def view_with_orders(views: Sequence[ModeView]) -> ModeView | None:
    """The first view whose items were asked in several option orders."""
    return next((view for view in views if (view.matrix.sizes > 1).any()), None)


def _flips(view: ModeView, other: ModeView | None) -> dict[str, MaskArray]:
    """Whether the answer changed with the option order in ``other`` (which may be ``view``), by cell, (N,)."""
    nothing = np.zeros(len(view.clusters), dtype=np.bool_)
    if other is None:
        return dict.fromkeys(view.cells, nothing)
    matching = _matching_items(view, other)
    return {
        cell: (matching >= 0) & _flipped(other, cell)[matching] if cell in other.cells else nothing
        for cell in view.cells
    }


def changes(views: Sequence[ModeView], bases: Mapping[str, str]) -> Changes:
    """Changes of every cell of the first view against the cell that ``bases`` names for it.

    Nothing is gained or lost by a cell without a base. The views of other modes are used for flips only.
    """
    view = views[0]
    flips = _flips(view, view_with_orders(views))
    values = view.matrix.values
    means = {cell: values[list(rows)].mean(axis=0) for cell, rows in view.rows.items()}
    flags, size = [], []
    for cell in view.cells:
        base = means.get(bases.get(cell, ""))
        change = np.zeros(len(view.clusters)) if base is None else means[cell] - base
        flipped = FLIPPED * flips[cell]
        flags.append(GAINED * (change > 1e-9) + LOST * (change < -1e-9) + flipped)
        size.append(np.abs(change) + 0.1 * (flipped > 0))
    return Changes(view.cells, np.array(flags, dtype=np.uint8), np.array(size))


def _candidate_lists(view: ModeView, by_cell: Changes, limit: int) -> Iterator[list[int]]:
    """Item codes of every kind of change, cell and condition, at most ``limit`` each, largest changes first."""
    matrix = view.matrix
    items, conditions = matrix.item[matrix.starts], matrix.condition[matrix.starts]
    for flag in (LOST, GAINED, FLIPPED):
        for row in range(len(by_cell.cells)):
            flagged = np.flatnonzero(by_cell.flags[row] & flag)
            ordered = flagged[np.argsort(-by_cell.size[row][flagged], kind="stable")]
            for condition in range(len(matrix.conditions)):
                yield items[ordered[conditions[ordered] == condition][:limit]].tolist()


def select_items(views: Sequence[ModeView], bases: Mapping[str, str], limit: int) -> tuple[list[int], Changes]:
    """At most ``limit`` item codes in the order they were selected, and what changed.

    One item in turn from every cell, kind of change and condition, largest changes first; then other items evenly
    spread, as far as there is room.
    """
    view, by_cell = views[0], changes(views, bases)
    lists = [codes for codes in _candidate_lists(view, by_cell, limit) if codes]
    selected: dict[int, None] = {}
    for turn in range(max(map(len, lists), default=0)):
        for codes in lists:
            if turn < len(codes) and len(selected) < limit:
                selected[codes[turn]] = None
    rest = [code for code in np.argsort(view.matrix.items).tolist() if code not in selected]
    room = limit - len(selected)
    if room > 0 and rest:
        spread = np.linspace(0, len(rest) - 1, min(room, len(rest))).round().astype(int)
        selected |= dict.fromkeys(rest[place] for place in spread.tolist())
    return list(selected), by_cell
