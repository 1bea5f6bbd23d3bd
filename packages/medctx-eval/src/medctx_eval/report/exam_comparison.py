"""What ``medctx-eval compare`` shows: cells on the same items, and paired differences."""

from __future__ import annotations

from pydantic import Field

from medctx.schemas.records import Mode, Record
from medctx.schemas.report import PairedComparison
from medctx.schemas.statistics import Accuracy, Equivalence
from medctx_eval.report.markdown_table import table_lines
from medctx_eval.report.sections import NoiseFloor
from medctx_eval.stats.formatting import accuracy_with_interval, difference_with_interval, p_value


class ComparedCell(Record):
    """One compared cell.

    Attributes:
        name: Name of the cell.
        base: Whether it is the base.
        runs: Names of its runs, one per training seed.
    """

    name: str
    base: bool
    runs: tuple[str, ...]


class CellAccuracy(Record):
    """Accuracy of one cell on one part of the exam.

    Attributes:
        cell: Name of the cell.
        part: An axis or a condition.
        accuracy: The accuracy with its interval.
    """

    cell: str
    part: str
    accuracy: Accuracy


class CellDifference(PairedComparison):
    """``cell`` minus ``other`` on one part, as ``medctx-eval compare`` shows it.

    Attributes:
        equivalence: Tests against the margin.
    """

    equivalence: Equivalence


class ExamComparison(Record):
    """Everything ``medctx-eval compare`` shows, in one scoring mode.

    Attributes:
        mode: The scoring mode.
        exams: Names of the exams.
        base: Name of the first base.
        margin: Largest loss of reading that counts as none, in (0, 1).
        draws: Draws of the bootstrap.
        seed: Seed of the bootstrap.
        cells: The compared cells, the base first.
        failed: Number of failed answers, for every cell that has any.
        accuracies: Every cell on every part.
        differences: Paired differences.
        noise_floor: Differences between two exams of the same model, where there are any.
    """

    mode: Mode
    exams: tuple[str, ...]
    base: str
    margin: float
    draws: int
    seed: int
    cells: tuple[ComparedCell, ...]
    failed: dict[str, int] = Field(default_factory=dict)
    accuracies: tuple[CellAccuracy, ...]
    differences: tuple[CellDifference, ...]
    noise_floor: tuple[NoiseFloor, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Compared parts in display order."""
        return tuple(dict.fromkeys(entry.part for entry in self.accuracies))

    def accuracy(self, cell: str, part: str) -> Accuracy | None:
        """Accuracy of a cell on a part."""
        return next((entry.accuracy for entry in self.accuracies if (entry.cell, entry.part) == (cell, part)), None)

    def _repr_markdown_(self) -> str:
        """Accuracies and differences as tables, for notebooks."""
        accuracies = [
            (row.part, row.cell, accuracy_with_interval(row.accuracy), str(row.accuracy.n), str(row.accuracy.clusters))
            for row in self.accuracies
        ]
        differences = [
            (row.cell, row.other, row.part, difference_with_interval(row.difference, row.outcome), p_value(row.p_holm))
            for row in self.differences
        ]
        lines = table_lines(("part", "cell", "accuracy, % [95 % interval]", "items", "clusters"), accuracies)
        if differences:
            header = ("cell", "minus", "part", "difference, points [95 % interval]", "p, Holm")
            lines += ["", *table_lines(header, differences)]
        return "\n".join(lines)
