"""What a model does: knows, reads, trusts memory over the page, invents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from medctx.schemas.statistics import Accuracy, Behaviour, ContextGain, Difference
from medctx_eval.stats.accuracy import accuracies
from medctx_eval.stats.answers import Answers, per_item
from medctx_eval.stats.clusters import BoolArray
from medctx_eval.stats.paired import differences
from medctx_eval.stats.seeds import CellRuns, runs_of

READING_KINDS = ("gold", "open")


def _right(
    answers: Answers, mask: BoolArray, cells: Sequence[CellRuns], untrained: Collection[int]
) -> list[Accuracy] | list[None]:
    """Accuracy of each cell on some questions, conditions weighted alike; one variance of seeds is pooled for all."""
    if not mask.any():
        return [None] * len(cells)
    codes = answers.condition[mask].astype(np.int64)
    _, items = np.unique(answers.items[mask], return_inverse=True)
    planned = per_item(answers.correct[:, mask], items * len(answers.conditions) + codes, answers.clusters[mask])
    names = [condition.model_copy(update={"depth": None}).name for condition in answers.parsed_conditions]
    strata = np.array([names.index(name) for name in names])[codes][planned.first]
    return accuracies(planned.values, planned.clusters, cells, untrained=untrained, strata=strata)


def _share(cell: Answers, counted: BoolArray, among: BoolArray) -> Accuracy | None:
    """Share of ``counted`` among the answers of ``among`` (both (R, K)), per item over all runs."""
    rows = np.broadcast_to(np.arange(among.shape[1]), among.shape)[among]
    if not len(rows):
        return None
    items = per_item(counted[among][None], cell.items[rows], cell.clusters[rows])
    return accuracies(items.values, items.clusters)[0]


def _gains(
    cell: Answers, closed: BoolArray, opened: Mapping[str, BoolArray], draws: int, seed: int
) -> dict[str, Difference]:
    """Gain of each kind of Book over no Book, on the items asked both ways.

    Kinds with the same items share one bootstrap.
    """
    by_items: dict[bytes, list[str]] = {}
    for name, mask in opened.items():
        both = np.intersect1d(cell.items[closed], cell.items[mask])
        if len(both):
            by_items.setdefault(both.tobytes(), []).append(name)
    gains: dict[str, Difference] = {}
    for names in by_items.values():
        both = np.intersect1d(cell.items[closed], cell.items[opened[names[0]]])
        sides = []
        for mask in (closed, *(opened[name] for name in names)):
            shared = mask & np.isin(cell.items, both)
            sides.append(per_item(cell.correct[:, shared].mean(axis=0), cell.items[shared], cell.clusters[shared]))
        values = np.concatenate([side.values for side in sides])
        pairs = [(row, 0) for row in range(1, len(sides))]
        gains |= dict(zip(names, differences(values, sides[0].clusters, pairs, draws=draws, seed=seed), strict=True))
    return gains


def _known(cell: Answers, closed: BoolArray) -> BoolArray:
    """Questions (R, K) on items that a run answers correctly without a Book in more than half of its option orders."""
    known = np.zeros(cell.correct.shape, dtype=np.bool_)
    if closed.any():
        items = per_item(cell.correct[:, closed], cell.items[closed], cell.clusters[closed])
        names = cell.items[closed][items.first]
        for row, values in zip(known, items.values, strict=True):
            row[:] = np.isin(cell.items, names[values > 0.5])
    return known


def _without_depth(cell: Answers) -> dict[str, list[int]]:
    """Codes of the reading conditions by their name without depth, shortest Book first."""
    codes: dict[str, list[int]] = {}
    reading = [
        (condition.tokens or 0, code, condition)
        for code, condition in enumerate(cell.parsed_conditions)
        if condition.kind in READING_KINDS
    ]
    for _, code, condition in sorted(reading, key=lambda entry: entry[:2]):
        codes.setdefault(condition.model_copy(update={"depth": None}).name, []).append(code)
    return codes


def _behaviour(cell: Answers, knows: Accuracy | None, reads: Accuracy | None, draws: int, seed: int) -> Behaviour:
    closed, reading = cell.under("closed"), cell.under(*READING_KINDS)
    altered, removed = cell.under("counterfactual"), cell.under("distractor")
    by_condition = {name: reading & np.isin(cell.condition, codes) for name, codes in _without_depth(cell).items()}
    gains = _gains(cell, closed, {"": reading, **by_condition}, draws, seed)
    readable = cell.correct | cell.wrong | cell.abstained
    return Behaviour(
        knows=knows,
        reads=reads,
        context_gain=gains.get(""),
        gains=tuple(ContextGain(condition=name, difference=gains[name]) for name in by_condition if name in gains),
        trusts_memory=_share(cell, cell.from_memory, _known(cell, closed) & altered),
        invents=_share(cell, cell.wrong, readable & removed),
    )


def behaviours(
    answers: Answers,
    cells: Sequence[CellRuns],
    *,
    untrained: Collection[int] = (),
    draws: int = 10_000,
    seed: int = 0,
    knows: Sequence[Accuracy] | None = None,
    reads: Sequence[Accuracy] | None = None,
) -> list[Behaviour]:
    """Behaviour of each cell.

    Args:
        answers: The answers of all runs.
        cells: A row of ``answers`` per cell, or the rows of its training seeds.
        untrained: Rows of models without a training seed.
        draws: Bootstrap resamples.
        seed: Seed of the bootstrap.
        knows: Knowledge of each cell, if it was already computed; by default conditions are weighted alike.
        reads: The same for reading.
    """
    known = knows or _right(answers, answers.under("closed") & answers.taught, cells, untrained)
    read = reads or _right(answers, answers.under(*READING_KINDS), cells, untrained)
    return [
        _behaviour(answers.of_runs(runs_of(rows)), knowledge, reading, draws, seed)
        for rows, knowledge, reading in zip(cells, known, read, strict=True)
    ]


def behaviour(answers: Answers, *, draws: int = 10_000, seed: int = 0) -> Behaviour:
    """``behaviours`` of one cell whose runs are all rows of ``answers``."""
    return behaviours(answers, [tuple(range(len(answers.correct)))], draws=draws, seed=seed)[0]
