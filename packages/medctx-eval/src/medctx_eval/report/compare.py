"""Examined models side by side: accuracies and paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.records import Verdict
from medctx.schemas.report import KNOWLEDGE, LEARNING, Cell
from medctx.schemas.statistics import Difference
from medctx_eval.report.analyses.comparisons import adjusted_mcnemar
from medctx_eval.report.analyses.noise_floor import noise_floors
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.exam_comparison import CellAccuracy, CellDifference, ComparedCell, ExamComparison
from medctx_eval.report.load import parts
from medctx_eval.report.load.cells import cells_of, check_means, headline_mode, pairs_of
from medctx_eval.report.load.collect import CellPair, collect
from medctx_eval.report.load.verdict_matrix import VERDICTS
from medctx_eval.report.load.view import ModeView, view_of
from medctx_eval.stats.margin import tost
from medctx_eval.stats.paired import holm


def _shown_parts(view: ModeView, conditions: bool) -> list[str]:
    return [part for part in view.masks if part in parts.AXES or (conditions and parts.is_condition(part))]


def _with_learning(view: ModeView, shown: Sequence[str]) -> list[str]:
    """The parts, and taught minus untaught items after the axis of knowledge."""
    place = shown.index(KNOWLEDGE) + 1 if view.has_learning else 0
    return [*shown[:place], *([LEARNING] if place else []), *shown[place:]]


def _accuracies(view: ModeView, shown: Sequence[str]) -> Iterator[CellAccuracy]:
    for part in shown:
        kept = view.masks[part] & view.matrix.fits
        if kept.any():
            for cell, accuracy in view.shares(view.matrix.values, kept).items():
                yield CellAccuracy(cell=cell, part=part, accuracy=accuracy)


def _differences(
    view: ModeView, shown: Sequence[str], pairs: Sequence[CellPair], margin: float, draws: int, seed: int
) -> list[CellDifference]:
    results: list[tuple[str, CellPair, Difference]] = []
    for part in _with_learning(view, shown):
        differences = view.differences(part, pairs, draws=draws, seed=seed)
        results += [(part, pair, difference) for pair, difference in zip(pairs, differences, strict=False)]
    permutation = holm([difference.p for _, _, difference in results])
    mcnemar = adjusted_mcnemar([difference for _, _, difference in results])
    return [
        CellDifference(
            cell=pair[0],
            other=pair[1],
            part=part,
            difference=difference,
            outcome=difference.outcome(margin),
            dropped=view.count(part) - difference.n,
            p_holm=p_holm,
            p_mcnemar_holm=p_mcnemar,
            equivalence=tost(difference, margin),
        )
        for (part, pair, difference), p_holm, p_mcnemar in zip(results, permutation, mcnemar, strict=True)
    ]


def failed_answers(view: ModeView) -> dict[str, int]:
    """Number of failed answers of each cell that has any."""
    code = VERDICTS.index(Verdict.FAILED)
    counts = {cell: int((view.matrix.verdicts[list(rows)] == code).sum()) for cell, rows in view.rows.items()}
    return {cell: count for cell, count in counts.items() if count}


def _pairs(cells: Sequence[Cell], judged: Sequence[str], every_pair: bool) -> list[CellPair]:
    if not every_pair:
        return pairs_of(cells, judged)[0]
    return [(later, earlier) for place, later in enumerate(judged) for earlier in judged[:place]]


def compare(
    folders: Sequence[Path],
    config: ReportConfig | None = None,
    *,
    every_pair: bool = False,
    conditions: bool = False,
) -> ExamComparison:
    """Compare the models of run folders on the questions all of them were asked.

    Args:
        folders: Run folders of ``medctx-eval run``, one per examined model.
        config: Base, mode, margin, and draws and seed of the bootstrap.
        every_pair: Compare all cells with one another instead of each with its base.
        conditions: Compare also under each condition, not only by axis.

    Returns:
        Accuracies and differences, with P values adjusted over all differences.

    Raises:
        MedctxError: If the runs were not asked the same questions, or there is nothing to compare.
    """
    config = config or ReportConfig()
    run_set = collect(folders)
    mode = headline_mode(run_set, config.mode)
    check_means(run_set, mode, allowed=config.different_means)
    cells = cells_of(run_set, config.base, config.cells)
    view = view_of(run_set, mode, cells)
    base = next(cell.name for cell in cells if cell.base)
    if base not in view.cells:
        raise MedctxError(f"The base {base} was not examined in the mode {mode}; choose another with --base.")
    if len(view.cells) < 2 and not any(run.repeats for run in run_set.runs):
        raise MedctxError(f"Only {base} was given; give at least two examined models to compare.")
    shown = _shown_parts(view, conditions)
    pairs = _pairs(cells, view.cells, every_pair)
    exams = dict.fromkeys(card.name for run in run_set.runs for card in run.manifest.exams)
    return ExamComparison(
        mode=mode,
        exams=tuple(exams),
        base=base,
        margin=config.margin,
        draws=config.draws,
        seed=config.seed,
        cells=tuple(
            ComparedCell(name=cell.name, base=cell.base, runs=tuple(run.name for run in cell.runs))
            for cell in cells
            if cell.name in view.cells
        ),
        failed=failed_answers(view),
        accuracies=tuple(_accuracies(view, shown)),
        differences=tuple(_differences(view, shown, pairs, config.margin, config.draws, config.seed)),
        noise_floor=tuple(noise_floors(run_set, view, draws=config.draws, seed=config.seed)),
    )
