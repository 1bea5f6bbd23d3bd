"""What somebody else published for the same cells, beside what was measured here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.config.loading import Config
from medctx.schemas.records import Record
from medctx.schemas.report import Accuracy
from medctx_eval.report.model import Published, PublishedCell, Report

Place = Literal["inside", "below", "above"]


class PublishedConfig(Config):
    """``values`` are accuracies in per cent by cell, as papers print them; ``source`` says where they stand, ``part``
    which part of the exam they are compared with (an axis or a Condition), ``note`` what is not the same.
    """

    source: str = ""
    part: str = "reading"
    note: str = ""
    values: dict[str, float] = Field(default_factory=dict)


def placed(value: float, measured: Accuracy) -> Place:
    """Where a published accuracy in [0, 1] lies in respect of the measured interval."""
    if value < measured.low:
        return "below"
    return "above" if value > measured.high else "inside"


def published(report: Report, config: PublishedConfig) -> Published | None:
    """Every published value with the measured one of its cell; nothing where none was given.

    Cells that were not examined are kept: what is missing is part of the comparison.
    """
    if not config.values:
        return None
    rows = []
    for cell, value in config.values.items():
        score = report.score(cell, config.part)
        measured = score.accuracy if score else None
        place = placed(value / 100, measured) if measured else None
        rows.append(PublishedCell(cell=cell, value=value / 100, measured=measured, place=place))
    return Published(source=config.source, part=config.part, note=config.note, cells=tuple(rows))


class Agreement(Record):
    """How many of the ``measured`` cells have their published value ``inside`` the interval, of ``all`` published."""

    inside: int
    measured: int
    all: int


def agreement(found: Published) -> Agreement:
    """The count for one sentence."""
    measured = [one for one in found.cells if one.measured is not None]
    return Agreement(
        inside=sum(one.place == "inside" for one in measured), measured=len(measured), all=len(found.cells)
    )
