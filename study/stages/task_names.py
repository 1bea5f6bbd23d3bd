"""Names of the tasks of a cell, which other tasks list as dependencies."""

from __future__ import annotations

from study.config.cells import StudyCell


def mix_task(cell: StudyCell) -> str:
    """The task that mixes a cell's data."""
    return f"mix {cell.name}"


def weights_task(cell: StudyCell) -> str:
    """The task whose output is the cell's weights."""
    return f"{'repair' if cell.repair else 'train'} {cell.name}"


def merge_task(cell: StudyCell) -> str:
    """The task that merges a cell's adapter."""
    return f"merge {cell.name}"
