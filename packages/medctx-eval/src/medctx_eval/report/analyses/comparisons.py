"""Scores of every cell and all comparisons of a report, in families within which P values are adjusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from medctx.schemas.records import Verdict
from medctx.schemas.report import (
    ABSTENTION,
    FAITHFULNESS,
    KNOWLEDGE,
    LEARNING,
    READABLE,
    READING,
    UNREADABLE,
    UNTAUGHT,
    Cell,
    Comparison,
    Family,
    Score,
)
from medctx.schemas.statistics import Accuracy, Difference
from medctx_eval.report.load import parts
from medctx_eval.report.load.cells import pairs_of
from medctx_eval.report.load.collect import CellPair
from medctx_eval.report.load.verdict_matrix import VERDICTS, MaskArray
from medctx_eval.report.load.view import ModeView
from medctx_eval.stats.paired import holm


def _score(view: ModeView, cell: str, part: str, planned_items: MaskArray, accuracy: Accuracy) -> Score:
    matrix, rows = view.matrix, list(view.rows[cell])
    questions = matrix.questions_of(planned_items)
    counted = np.bincount(matrix.verdicts[rows][:, questions].ravel(), minlength=len(VERDICTS))
    counts = {verdict: int(count) for verdict, count in zip(VERDICTS, counted, strict=True)}
    total = int(questions.sum()) * len(rows)
    fitting = total - counts[Verdict.DOES_NOT_FIT]
    readable = sum(counts[verdict] for verdict in READABLE)
    unreadable = np.isin(matrix.verdicts[rows], [VERDICTS.index(verdict) for verdict in UNREADABLE])
    unread = np.add.reduceat(unreadable.astype(np.float64), matrix.starts, axis=1) / matrix.sizes
    means = view.means(np.concatenate([matrix.values[rows], unread]), planned_items)
    return Score(
        cell=cell,
        part=part,
        mode=view.mode,
        n=total,
        verdicts=counts,
        accuracy=accuracy,
        validity=readable / fitting if fitting else 0.0,
        upper_bound=min(1.0, accuracy.value + float(means[len(rows) :].mean())),
        seeds=tuple(means[: len(rows)].tolist()),
        dropped_for_others=int(matrix.dropped_for_others[rows][:, questions].sum()),
    )


def scores(view: ModeView) -> Iterator[Score]:
    """The score of every cell on every part of one mode."""
    accuracies = {part: view.shares(view.matrix.values, mask) for part, mask in view.masks.items()}
    for cell in view.cells:
        for part, mask in view.masks.items():
            yield _score(view, cell, part, mask, accuracies[part][cell])


def _families(view: ModeView, learning: bool) -> dict[Family, list[str]]:
    """The parts each family compares on."""
    masks = view.masks
    learning = learning and view.has_learning
    headline = [LEARNING] if learning else [part for part in (KNOWLEDGE,) if part in masks]
    headline += [part for part in (READING,) if part in masks]
    conditions = [part for part in masks if part not in parts.AXES]
    return {
        "headline": headline,
        "pairs": headline,
        "knowledge": [part for part in masks if part == UNTAUGHT or (part == KNOWLEDGE and learning)],
        "axes": [part for part in (ABSTENTION, FAITHFULNESS) if part in masks],
        "conditions": [part for part in conditions if parts.is_condition(part)],
        "grid": [part for part in conditions if parts.in_grid(part)],
    }


def _adjusted(family: Sequence[Comparison]) -> Iterator[Comparison]:
    permutation = holm([comparison.difference.p for comparison in family])
    mcnemar = adjusted_mcnemar([comparison.difference for comparison in family])
    for comparison, p_holm, p_mcnemar in zip(family, permutation, mcnemar, strict=True):
        yield comparison.model_copy(update={"p_holm": p_holm, "p_mcnemar_holm": p_mcnemar})


def adjusted_mcnemar(differences: Sequence[Difference]) -> list[float | None]:
    """McNemar's P values, Holm-adjusted; None for differences of differences, which have none."""
    adjusted = iter(holm([difference.p_mcnemar for difference in differences if difference.p_mcnemar is not None]))
    return [None if difference.p_mcnemar is None else next(adjusted) for difference in differences]


def _comparison(
    view: ModeView, family: Family, part: str, pair: CellPair, difference: Difference, margin: float
) -> Comparison:
    return Comparison(
        cell=pair[0],
        other=pair[1],
        part=part,
        mode=view.mode,
        family=family,
        difference=difference,
        outcome=difference.outcome(margin),
        dropped=view.count(part) - difference.n,
        p_holm=difference.p,
        p_mcnemar_holm=difference.p_mcnemar,
    )


def _differences(
    view: ModeView, part: str, pairs: Sequence[CellPair], draws: int, seed: int
) -> dict[CellPair, Difference]:
    """The difference of each pair on a part; empty if no item fits."""
    results = view.differences(part, pairs, draws=draws, seed=seed)
    return dict(zip(pairs, results, strict=True)) if results else {}


def comparisons(
    view: ModeView, cells: Sequence[Cell], *, learning: bool, margin: float, draws: int, seed: int, all_families: bool
) -> Iterator[Comparison]:
    """All comparisons in one mode; none if no base was judged in it.

    Args:
        view: The mode.
        cells: The cells of the report.
        learning: Whether knowledge is the gain on taught items minus that on untaught ones.
        margin: Margin within which two cells are called equal, in (0, 1).
        draws: Bootstrap resamples.
        seed: Seed of the bootstrap.
        all_families: All families, or the headline family only.
    """
    to_base, every_pair = pairs_of(cells, view.cells)
    if not to_base:
        return
    known: dict[str, dict[CellPair, Difference]] = {}
    for family, family_parts in _families(view, learning).items():
        if family != "headline" and not all_families:
            continue
        for part in family_parts:
            if part not in known:
                pairs = every_pair if family == "headline" else to_base
                known[part] = _differences(view, part, pairs, draws, seed)
        pairs = every_pair if family == "pairs" else to_base
        yield from _adjusted(
            [
                _comparison(view, family, part, pair, known[part][pair], margin)
                for part in family_parts
                for pair in pairs
                if pair in known[part]
            ]
        )
