"""Cells that differ along one axis of a study alone: what a curve may be drawn through."""

from __future__ import annotations

from collections.abc import Iterable

from medctx.schemas.report import Along, Cell, Recipe


def series(cells: Iterable[Cell], along: Along) -> list[tuple[Cell, ...]]:
    """Every group of cells whose recipes are the same but for one axis, on which they have two values or more.

    Within a group cells are ordered by that axis; groups by their first cells. Cells whose value is not known are in
    none.
    """
    found: dict[Recipe, list[Cell]] = {}
    for cell in cells:
        if getattr(cell.recipe, along) not in (None, ""):
            found.setdefault(cell.recipe.without(along), []).append(cell)
    ordered = [tuple(sorted(own, key=lambda cell: getattr(cell.recipe, along))) for own in found.values()]
    return [own for own in ordered if len({getattr(cell.recipe, along) for cell in own}) > 1]
