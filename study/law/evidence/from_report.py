"""The evidence in the report of a finished study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import optimize
from statsmodels.stats.proportion import proportion_confint

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.schemas.report import Cell, ReportCore
from medctx.schemas.statistics import Accuracy
from study.config.study import StudyConfig
from study.law.evidence import files
from study.law.evidence.evidence import PARTS, Evidence, Interval
from study.law.evidence.item_noise import MeasuredCell, PairError, item_noise
from study.law.evidence.names import size_in
from study.law.evidence.points import DesignPoint, ItemNoise, Measured, MeasuredRun

ALIKE = 1.25
"""Amounts whose ratio is at most this are one amount: mixes end a few tokens short of the requested amount."""


def share_of(cell: Cell) -> float:
    """The general share of a trained cell; 0 where none is known."""
    return cell.recipe.general_share or 0.0


def _inflation(accuracy: Accuracy) -> float:
    """Variance over the binomial one, from the width of a Wilson interval.

    The untouched model's interval holds no training seeds; what its effective number of items falls short of their
    number is clustering, and the price of few clusters.
    """
    width = accuracy.high - accuracy.low
    value = accuracy.value

    def excess(log_items: float) -> float:
        items = float(np.exp(log_items))
        low, high = proportion_confint(value * items, items, method="wilson")
        return float(high - low) - width

    low, high = 0.0, float(np.log(10 * accuracy.n))
    if excess(low) < 0 or excess(high) > 0:
        return 1.0
    return max(1.0, accuracy.n / float(np.exp(optimize.brentq(excess, low, high))))


def _noise(report: ReportCore, part: str, trained: Sequence[Cell]) -> ItemNoise:
    """Chance in the items of one part, from all pairs of cells."""
    base = report.score(report.base, part)
    if base is None:
        return ItemNoise()
    cells = {
        cell.name: MeasuredCell(score.accuracy.value, len(cell.runs), None if cell.base else share_of(cell))
        for cell in report.cells
        if (cell.base or cell in trained) and (score := report.score(cell.name, part))
    }
    pairs = {
        frozenset((comparison.cell, comparison.other)): PairError(
            comparison.cell, comparison.other, comparison.difference.error
        )
        for comparison in report.comparisons
        if comparison.part == part
        and comparison.mode == report.mode
        and {comparison.cell, comparison.other} <= set(cells)
    }
    return item_noise(base.accuracy.n, _inflation(base.accuracy), cells, list(pairs.values()))


def _snapped(amounts: Sequence[float | None]) -> dict[float, float]:
    """Every amount to the median of those that are about the same."""
    groups: list[list[float]] = []
    for amount in sorted({amount for amount in amounts if amount}):
        if groups and amount <= ALIKE * groups[-1][0]:
            groups[-1].append(amount)
        else:
            groups.append([amount])
    return {amount: float(round(np.median(group))) for group in groups for amount in group}


def _one_arm(report: ReportCore) -> tuple[list[Cell], list[str]]:
    """The trained cells of the method that most were trained with, and what was left out."""
    trained = [cell for cell in report.cells if not cell.base and cell.recipe.general_share is not None]
    methods = Counter(cell.recipe.method for cell in trained)
    # Plain training first where methods are equally many.
    chosen = max(methods, key=lambda method: (methods[method], not method), default="")
    kept = [cell for cell in trained if cell.recipe.method == chosen]
    left = ", ".join(cell.name for cell in trained if cell not in kept)
    return kept, [
        f"The law is of the cells trained {f'with {chosen}' if chosen else 'plainly'}, without {left}."
    ] if left else []


def _size_of(base: str, report: ReportCore, study: StudyConfig | None) -> float | None:
    """The parameters of an untouched cell: as the study says, else as its name does."""
    label, models = base, study.models if study else {}
    if study and base not in models and len(report.bases) == 1:
        label = study.base
    model = models.get(label)
    return float(model.parameters) if model and model.parameters else size_in(label)


def _points(
    report: ReportCore, study: StudyConfig | None, trained: Sequence[Cell], path: Path
) -> dict[str, DesignPoint]:
    """The design points of the trained cells."""
    bases = {cell.recipe.base or report.base for cell in trained}
    sizes = {base: _size_of(base, report, study) for base in sorted(bases)}
    unknown = [base for base, size in sizes.items() if size is None]
    if len(bases) > 1 and unknown:
        raise MedctxError(
            f"The size of the base {unknown[0]!r} of {path} is not known; give models.{unknown[0]}.parameters in the "
            "study."
        )
    amounts = {cell.name: cell.recipe.amount or (study.tokens if study else None) for cell in trained}
    snapped = _snapped(list(amounts.values()))
    return {
        cell.name: DesignPoint(
            share_of(cell),
            snapped[float(amount)] if (amount := amounts[cell.name]) else None,
            sizes[cell.recipe.base or report.base],
        )
        for cell in trained
    }


def _measured(
    report: ReportCore, part: str, trained: Sequence[Cell], places: Mapping[str, DesignPoint]
) -> Measured | None:
    scores = [(cell, score) for cell in trained if (score := report.score(cell.name, part))]
    base = report.score(report.base, part)
    runs = tuple(
        MeasuredRun(cell.name, places[cell.name], accuracy, run.manifest.training_seed or 0)
        for cell, score in scores
        for run, accuracy in zip(cell.runs, score.seeds or (score.accuracy.value,) * len(cell.runs), strict=True)
    )
    noise = _noise(report, part, [cell for cell, _ in scores])
    return Measured(part, runs, base.accuracy.value if base else None, noise) if runs else None


def read_study_report(path: Path) -> Evidence:
    """The evidence in one report, with the sizes and amounts of the study config in its folder."""
    report, study = files.read_report(path), files.read_study(path.parent)
    trained, notes = _one_arm(report)
    if not trained:
        raise MedctxError(
            f"{path} has no trained cell of known composition; name cells general:medical (9:1) or say how they were "
            "made with the key cells of medctx-eval report."
        )
    places = _points(report, study, trained, path)
    measured = tuple(points for part in PARTS if (points := _measured(report, part, trained, places)))
    if not measured:
        raise MedctxError(f"{path} examined neither knowledge nor reading; a law needs one of them.")
    return Evidence(
        name=study.name if study else report.title,
        measured=measured,
        intervals={
            (score.part, score.cell): Interval(score.accuracy.value, score.accuracy.low, score.accuracy.high)
            for score in report.scores
            if score.mode == report.mode and score.part in PARTS
        },
        base=report.base,
        base_size=_size_of(report.base, report, study),
        margin=report.margin,
        seeds=max(len(cell.runs) for cell in trained),
        sources={str(path): digest.of_file(path)},
        notes=tuple(notes),
    )
