"""What is known before a law is fitted: the points, where they come from, and what was taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from study.law.evidence.points import Measured

PARTS = ("knowledge", "reading")


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured accuracy of a cell with its 95 % interval, all in [0, 1]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """The points of both parts.

    ``measured``: one entry per part that was examined; ``intervals``: by part and cell, as reported; ``base``: the
    name of the untouched cell, ``base_size`` its parameters; ``margin`` as the report has it; ``sources``: digests
    by file; ``notes``: what was left out or taken for granted, in sentences.
    """

    name: str
    measured: tuple[Measured, ...]
    intervals: Mapping[tuple[str, str], Interval]
    base: str = ""
    base_size: float | None = None
    margin: float = 0.05
    seeds: int = 1
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def part(self, name: str) -> Measured | None:
        """The points of one part."""
        return next((part for part in self.measured if part.part == name), None)
