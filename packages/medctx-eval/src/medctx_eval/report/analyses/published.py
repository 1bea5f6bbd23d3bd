"""Accuracies published elsewhere beside the measured ones."""

from __future__ import annotations

from typing import Literal

from medctx.schemas.records import Record
from medctx.schemas.statistics import Accuracy
from medctx_eval.report.config import PublishedConfig
from medctx_eval.report.model import Report
from medctx_eval.report.sections import Published, PublishedCell


def position_of(value: float, measured: Accuracy) -> Literal["inside", "below", "above"]:
    """Position of a published accuracy in [0, 1] relative to the measured interval."""
    if value < measured.low:
        return "below"
    return "above" if value > measured.high else "inside"


def published(report: Report, config: PublishedConfig) -> Published | None:
    """Every published value with the measured one of its cell, or None if there are none.

    Cells that were not examined are kept, so that the comparison shows what is missing.
    """
    if not config.values:
        return None
    cells = []
    for cell, percent in config.values.items():
        score = report.score(cell, config.part)
        measured = score.accuracy if score else None
        position = position_of(percent / 100, measured) if measured else None
        cells.append(PublishedCell(cell=cell, value=percent / 100, measured=measured, position=position))
    return Published(source=config.source, part=config.part, note=config.note, cells=tuple(cells))


class Agreement(Record):
    """Number of published cells, of those examined here, and of those inside the measured interval."""

    published: int
    measured: int
    inside: int


def agreement(published: Published) -> Agreement:
    """Count how many published values lie inside the measured interval."""
    measured = [cell for cell in published.cells if cell.measured is not None]
    return Agreement(
        published=len(published.cells),
        measured=len(measured),
        inside=sum(cell.position == "inside" for cell in measured),
    )
