"""Examined models side by side: accuracies, paired differences and what they can and cannot show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from medctx.errors import MedctxError
from medctx.schemas.records import Mode, Record
from medctx.schemas.report import Accuracy, Cell, Difference, Word
from medctx_eval.report.analyses.comparisons import pairs_of
from medctx_eval.report.analyses.noise_floor import repeated
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load import parts
from medctx_eval.report.load.cells import cells_of, headline_mode
from medctx_eval.report.load.collect import collect
from medctx_eval.report.load.view import Sheet, sheet
from medctx_eval.report.model import Repeated
from medctx_eval.stats import Equivalence, holm, tost


class Side(Record):
    """One compared cell, the names of its ``runs`` (training seeds) and whether it is the base."""

    name: str
    base: bool
    runs: tuple[str, ...]


class CellAccuracy(Record):
    """The accuracy of one cell on one part of the exam."""

    cell: str
    part: str
    accuracy: Accuracy


class CellDifference(Record):
    """``cell`` minus ``other`` on one part; ``p_holm`` and ``p_mcnemar_holm`` are adjusted over all differences shown.

    ``dropped`` questions did not fit a model and count for none; ``equivalence`` tests against the margin.
    """

    cell: str
    other: str
    part: str
    difference: Difference
    word: Word
    dropped: int = Field(ge=0)
    p_holm: float = Field(ge=0, le=1)
    p_mcnemar_holm: float = Field(ge=0, le=1)
    equivalence: Equivalence


class ExamComparison(Record):
    """Everything ``medctx-eval compare`` shows, in one mode."""

    mode: Mode
    exams: tuple[str, ...]
    base: str
    margin: float
    draws: int
    seed: int
    sides: tuple[Side, ...]
    accuracies: tuple[CellAccuracy, ...]
    differences: tuple[CellDifference, ...]
    noise: tuple[Repeated, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """In the order they are shown."""
        return tuple(dict.fromkeys(one.part for one in self.accuracies))

    def accuracy(self, cell: str, part: str) -> Accuracy | None:
        """A cell's accuracy on a part."""
        return next((one.accuracy for one in self.accuracies if (one.cell, one.part) == (cell, part)), None)


def _shown(own: Sheet, conditions: bool) -> list[str]:
    return [part for part in own.masks if part in parts.AXES or (conditions and parts.is_condition(part))]


def _accuracies(own: Sheet, shown: Sequence[str]) -> Iterator[CellAccuracy]:
    for part in shown:
        kept = own.masks[part] & own.aligned.fits
        if kept.any():
            for cell, found in own.shares(own.aligned.values, kept).items():
                yield CellAccuracy(cell=cell, part=part, accuracy=found)


def _differences(
    own: Sheet, shown: Sequence[str], pairs: Sequence[tuple[str, str]], config: ReportConfig
) -> list[CellDifference]:
    found: list[tuple[str, tuple[str, str], Difference]] = []
    for part in shown:
        kept = own.masks[part] & own.aligned.fits
        if kept.any():
            found += [(part, pair, one) for pair, one in zip(pairs, own.differences(kept, pairs, config), strict=True)]
    adjusted = holm([one.p for _, _, one in found])
    mcnemar = holm([one.p_mcnemar for _, _, one in found])
    return [
        CellDifference(
            cell=pair[0],
            other=pair[1],
            part=part,
            difference=one,
            word=one.word,
            dropped=int((own.masks[part] & ~own.aligned.fits).sum()),
            p_holm=p_holm,
            p_mcnemar_holm=p_mcnemar,
            equivalence=tost(one, config.margin),
        )
        for (part, pair, one), p_holm, p_mcnemar in zip(found, adjusted, mcnemar, strict=True)
    ]


def _pairs(cells: Sequence[Cell], judged: Sequence[str], every: bool) -> list[tuple[str, str]]:
    if not every:
        return pairs_of(cells, judged)[0]
    return [(later, earlier) for place, later in enumerate(judged) for earlier in judged[:place]]


def compare(
    folders: Sequence[Path], config: ReportConfig, *, every_pair: bool = False, conditions: bool = False
) -> ExamComparison:
    """Compare the models of run folders on exactly what all of them were asked.

    Every cell with its base, or with ``every_pair`` all with all; by axis, with ``conditions`` also by Condition.
    Raises MedctxError where the runs were not asked the same, or there is nothing to compare.
    """
    collected = collect(folders)
    mode = headline_mode(collected, config)
    cells: tuple[Cell, ...] = cells_of(collected, config)
    own = sheet(collected, mode, cells)
    base = next(cell.name for cell in cells if cell.base)
    if base not in own.cells:
        raise MedctxError(f"The base {base} was not examined in the mode {mode}; name another with --base.")
    if len(own.cells) < 2 and not any(run.repeats for run in collected.runs):
        raise MedctxError(f"Only {base} was given; name at least two examined models to compare.")
    shown = _shown(own, conditions)
    exams = {card.name: None for run in collected.runs for card in run.manifest.exams}
    return ExamComparison(
        mode=mode,
        exams=tuple(exams),
        base=base,
        margin=config.margin,
        draws=config.draws,
        seed=config.seed,
        sides=tuple(
            Side(name=cell.name, base=cell.base, runs=tuple(run.name for run in cell.runs))
            for cell in cells
            if cell.name in own.cells
        ),
        accuracies=tuple(_accuracies(own, shown)),
        differences=tuple(_differences(own, shown, _pairs(cells, own.cells, every_pair), config)),
        noise=tuple(repeated(collected, own, config)),
    )
