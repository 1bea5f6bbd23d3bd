"""Selected cells measured again on items that selected none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.report import LEARNING
from medctx.schemas.study_plan import Estimand, PlanAxis
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.cells import cells_of, check_means, pairs_of
from medctx_eval.report.load.collect import RunSet, collect
from medctx_eval.report.load.estimands import Strata, estimand_weights
from medctx_eval.report.load.overlaps import contaminated_count, read_overlaps, ways_of_items
from medctx_eval.report.load.verdict_matrix import VerdictMatrix
from medctx_eval.report.load.view import view_of
from medctx_eval.report.model import Report
from medctx_eval.report.sections import Confirmation


def _asked(run_set: RunSet) -> set[tuple[str, str]]:
    return {pair for matrix in run_set.modes.values() for pair in zip(matrix.exams, matrix.items, strict=True)}


def _check_apart(selecting: RunSet, confirming: RunSet) -> None:
    shared = sorted(_asked(selecting) & _asked(confirming))
    if shared:
        exam, item = shared[0]
        raise MedctxError(
            f"The confirmation runs ask {len(shared):,} items that also selected the cells, first {item!r} of {exam}; "
            "examine selected cells on the other half (half: confirmation)."
        )


def _confirmed_axes(estimands: Sequence[Estimand], matrix: VerdictMatrix) -> list[PlanAxis]:
    """The axes all of whose parts the confirmation runs ask; those of which they ask none are named.

    Raises:
        MedctxError: If they ask some parts of an axis and not others, or none at all.
    """
    strata = Strata(matrix, {})
    axes: list[PlanAxis] = []
    for estimand in estimands:
        measured = strata.asked(estimand.axis)
        missing = [part.name for part in estimand.parts if part.name not in measured]
        if 0 < len(missing) < len(estimand.parts):
            raise MedctxError(
                f"The confirmation runs lack {', '.join(missing)}, which {estimand.axis} weighs in the report; examine "
                "them with the exams and conditions of the report."
            )
        if not missing:
            axes.append(estimand.axis)
    absent = [part.name for estimand in estimands if estimand.axis not in axes for part in estimand.parts]
    if absent and not axes:
        raise MedctxError(
            f"The confirmation runs ask no part of the report ({', '.join(absent)}) but {', '.join(strata.names)}; "
            "examine them with the exams and conditions of the report."
        )
    if absent:
        say(f"The confirmation runs do not ask {', '.join(absent)}, so only {' and '.join(axes)} is confirmed.")
    return axes


def confirmations(report: Report, selecting: RunSet, config: ReportConfig) -> Iterator[Confirmation]:
    """The headline numbers of every cell of the confirmation runs, beside those that selected it.

    Conditions weigh as in the report.

    Raises:
        MedctxError: If a confirmation run asks an item that selected cells, in another mode, by other means, or
            not the parts of the report.
    """
    if not config.confirmation:
        return
    run_set = collect(config.confirmation)
    overlaps = read_overlaps(config.confirmation_contamination) if config.confirmation_contamination else None
    _check_apart(selecting, run_set)
    if report.mode not in run_set.modes:
        raise MedctxError(
            f"The confirmation runs have no answers in the mode {report.mode}; examine them in the mode of the report."
        )
    check_means(run_set, report.mode, allowed=config.different_means)
    recipes = {name: recipe for name, recipe in config.cells.items() if name in run_set.cells}
    cells = cells_of(run_set, config.base if config.base in run_set.cells else "", recipes)
    view = view_of(run_set, report.mode, cells, estimand_weights(report.estimands))
    pairs, _ = pairs_of(cells, view.cells)
    for axis in _confirmed_axes(report.estimands, view.matrix):
        part = report.measure(axis)
        if axis not in view.masks or (part == LEARNING and not view.has_learning):
            continue
        accuracies = view.shares(view.matrix.values, view.masks[axis])
        contaminated = None
        if overlaps is not None:
            contaminated = contaminated_count(ways_of_items(view.matrix, view.masks[axis], overlaps).values())
        gains = view.differences(part, pairs, draws=config.draws, seed=config.seed)
        for (cell, base), gain in zip(pairs, gains, strict=False):
            score = report.score(cell, axis) if cell in {known.name for known in report.cells} else None
            selected = report.axis_gain(cell, axis) if score else None
            yield Confirmation(
                cell=cell,
                other=base,
                axis=axis,
                part=part,
                selected=score.accuracy if score else None,
                selected_gain=selected.difference if selected else None,
                confirmed=accuracies[cell],
                confirmed_gain=gain,
                outcome=gain.outcome(report.margin),
                contaminated=contaminated,
            )
