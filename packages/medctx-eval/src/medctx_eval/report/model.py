"""The Report: everything that is shown, computed once; report.json is its dump."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.records import Mode, Record, Verdict
from medctx_eval.run_folder import Manifest
from medctx_eval.stats import Accuracy, Difference, Word

Family = Literal["headline", "pairs", "untaught", "conditions", "grid"]
"""Comparisons shown together; p values are adjusted within each."""

KNOWLEDGE = "knowledge"
READING = "reading"
UNTAUGHT = "untaught"


class Cell(Record):
    """One examined model. ``general_share`` in [0, 1]: the general part of its training data, where known."""

    name: str
    base: bool
    general_share: float | None = None
    manifest: Manifest


class Score(Record):
    """One cell on one part of the exam (``knowledge``, ``reading``, ``untaught`` or a Condition) in one mode.

    ``verdicts`` add up to ``accuracy.n``. ``validity`` in [0, 1] is the share of readable answers (correct, wrong
    or abstained). ``upper`` is the accuracy if every unreadable answer (unparsable, truncated, failed) had been
    right; ``accuracy.value`` counts them all as not correct and is the lower bound.
    """

    cell: str
    part: str
    mode: Mode
    verdicts: dict[Verdict, int]
    accuracy: Accuracy
    validity: float = Field(ge=0, le=1)
    upper: float = Field(ge=0, le=1)


class Comparison(Record):
    """``cell`` minus ``other`` on one part, in the headline mode.

    ``dropped`` items did not fit one of the two and count for neither. ``p_holm`` is the cluster swap test's p,
    ``p_mcnemar_holm`` McNemar's, adjusted within ``family``.
    """

    cell: str
    other: str
    part: str
    family: Family
    difference: Difference
    word: Word
    dropped: int = Field(ge=0)
    p_holm: float = Field(ge=0, le=1)
    p_mcnemar_holm: float = Field(ge=0, le=1)


class Letters(Record):
    """How often a cell chose each letter in one mode, beside how often it is right; shares add up to 1."""

    cell: str
    mode: Mode
    n: int = Field(ge=1)
    chosen: dict[str, float]
    gold: dict[str, float]


class Report(Record):
    """A comparison of cells on the same items. Cells are ordered: base first, then from general to medical."""

    title: str
    headline: str
    base: str
    mode: Mode
    margin: float = Field(gt=0, lt=1)
    draws: int
    seed: int
    cells: tuple[Cell, ...] = Field(min_length=1)
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    letters: tuple[Letters, ...]

    @property
    def tuned(self) -> tuple[Cell, ...]:
        """Every cell but the base."""
        return tuple(cell for cell in self.cells if not cell.base)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The headline mode first, then the other where it was scored."""
        return tuple(dict.fromkeys([self.mode, *(score.mode for score in self.scores)]))

    def score(self, cell: str, part: str, mode: Mode | None = None) -> Score | None:
        """One score, in the headline mode unless another is asked for."""
        wanted = (cell, part, mode or self.mode)
        return next((one for one in self.scores if (one.cell, one.part, one.mode) == wanted), None)

    def family(self, name: Family) -> tuple[Comparison, ...]:
        """The comparisons of one family."""
        return tuple(one for one in self.comparisons if one.family == name)

    def gain(self, cell: str, part: str) -> Comparison | None:
        """How a cell compares with the base on one part."""
        wanted = (cell, self.base, part)
        found = (one for one in self.comparisons if one.family != "pairs")
        return next((one for one in found if (one.cell, one.other, one.part) == wanted), None)

    def parts(self, family: Family) -> tuple[str, ...]:
        """The parts a family compares on, in the order they are shown."""
        return tuple(dict.fromkeys(one.part for one in self.family(family)))
