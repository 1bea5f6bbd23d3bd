"""What a model does rather than how often it is right: knows, reads, trusts memory over the page, invents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from medctx.schemas.records import Record
from medctx.schemas.report import Accuracy, Difference
from medctx_eval.stats.accuracy import accuracies
from medctx_eval.stats.answers import Answers
from medctx_eval.stats.clusters import BoolArray
from medctx_eval.stats.collapse import per_item
from medctx_eval.stats.paired import differences
from medctx_eval.stats.seeds import Rows, rows_of

READING = ("gold", "open")


class Gain(Record):
    """What one Condition's Book adds: right with it minus right without it, on items asked both ways."""

    condition: str
    difference: Difference


class Behaviour(Record):
    """Shares of items with intervals; nothing where nothing was asked that shows it.

    ``knows``: right without a Book (facts that were taught). ``reads``: right with the evidence before it, alone or
    among distractors. ``context_gain``: reads minus knows on the items asked both ways, and ``gains`` by Condition,
    depths taken together. ``trusts_memory``: of the items it knows, answered from memory although the page says
    otherwise. ``invents``: of the readable answers to questions whose evidence was removed, those that are an answer.

    Several runs (training seeds) are averaged; the interval of ``knows`` and ``reads`` holds their variance (one for
    all cells), the others speak of these runs.
    """

    knows: Accuracy | None = None
    reads: Accuracy | None = None
    context_gain: Difference | None = None
    gains: tuple[Gain, ...] = ()
    trusts_memory: Accuracy | None = None
    invents: Accuracy | None = None


def _right(
    every: Answers, mask: BoolArray, cells: Sequence[Rows], untrained: Collection[int]
) -> list[Accuracy] | list[None]:
    """Every cell on some rows of the answers; one variance of seeds is taken for all."""
    if not mask.any():
        return [None] * len(cells)
    per = per_item(every.correct[:, mask], every.items[mask], every.clusters[mask])
    return accuracies(per.values, per.clusters, cells, untrained=untrained)


def _share(cell: Answers, counted: BoolArray, among: BoolArray) -> Accuracy | None:
    """Share of ``counted`` among the answers of ``among`` (both (R, K)), per item over all runs."""
    rows = np.broadcast_to(np.arange(among.shape[1]), among.shape)[among]
    if not len(rows):
        return None
    per = per_item(counted[among][None], cell.items[rows], cell.clusters[rows])
    return accuracies(per.values, per.clusters)[0]


def _gains(
    cell: Answers, closed: BoolArray, opened: Mapping[str, BoolArray], draws: int, seed: int
) -> dict[str, Difference]:
    """What each kind of Book adds, on the items asked closed too; the same items are resampled once for all kinds."""
    together: dict[bytes, list[str]] = {}
    for name, mask in opened.items():
        both = np.intersect1d(cell.items[closed], cell.items[mask])
        if len(both):
            together.setdefault(both.tobytes(), []).append(name)
    found: dict[str, Difference] = {}
    for names in together.values():
        both = np.intersect1d(cell.items[closed], cell.items[opened[names[0]]])
        sides = []
        for mask in (closed, *(opened[name] for name in names)):
            asked = mask & np.isin(cell.items, both)
            sides.append(per_item(cell.correct[:, asked].mean(axis=0), cell.items[asked], cell.clusters[asked]))
        values = np.concatenate([side.values for side in sides])
        pairs = [(row, 0) for row in range(1, len(sides))]
        found |= dict(zip(names, differences(values, sides[0].clusters, pairs, draws=draws, seed=seed), strict=True))
    return found


def _known(cell: Answers, closed: BoolArray) -> BoolArray:
    """(R, K): rows of items that a run gets right closed in more than half of the orders it was asked in."""
    known = np.zeros(cell.correct.shape, dtype=np.bool_)
    if closed.any():
        per = per_item(cell.correct[:, closed], cell.items[closed], cell.clusters[closed])
        names = cell.items[closed][per.places]
        for row, values in zip(known, per.values, strict=True):
            row[:] = np.isin(cell.items, names[values > 0.5])
    return known


def _without_depth(cell: Answers) -> dict[str, list[int]]:
    """Reading Conditions by their name without depth, the shortest Book first."""
    codes: dict[str, list[int]] = {}
    reading = [(place.tokens or 0, code, place) for code, place in enumerate(cell.places) if place.kind in READING]
    for _, code, place in sorted(reading, key=lambda one: one[:2]):
        codes.setdefault(place.model_copy(update={"depth": None}).name, []).append(code)
    return codes


def _behaviour(cell: Answers, knows: Accuracy | None, reads: Accuracy | None, draws: int, seed: int) -> Behaviour:
    closed, reading = cell.of("closed"), cell.of(*READING)
    altered, removed = cell.of("counterfactual"), cell.of("distractor")
    by_condition = {name: reading & np.isin(cell.condition, codes) for name, codes in _without_depth(cell).items()}
    gains = _gains(cell, closed, {"": reading, **by_condition}, draws, seed)
    readable = cell.correct | cell.wrong | cell.abstained
    return Behaviour(
        knows=knows,
        reads=reads,
        context_gain=gains.get(""),
        gains=tuple(Gain(condition=name, difference=gains[name]) for name in by_condition if name in gains),
        trusts_memory=_share(cell, cell.remembered, _known(cell, closed) & altered),
        invents=_share(cell, cell.wrong, readable & removed),
    )


def behaviours(
    every: Answers, cells: Sequence[Rows], *, untrained: Collection[int] = (), draws: int = 10_000, seed: int = 0
) -> list[Behaviour]:
    """The behaviour of cells: each a row of ``every``, or the rows of its training seeds; ``untrained`` names rows
    without one.
    """
    knows = _right(every, every.of("closed") & every.taught, cells, untrained)
    reads = _right(every, every.of(*READING), cells, untrained)
    return [
        _behaviour(every.runs(rows_of(rows)), known, read, draws, seed)
        for rows, known, read in zip(cells, knows, reads, strict=True)
    ]


def behaviour(cell: Answers, *, draws: int = 10_000, seed: int = 0) -> Behaviour:
    """:func:`behaviours` of one cell, whose runs differ in their training seed alone."""
    return behaviours(cell, [tuple(range(len(cell.correct)))], draws=draws, seed=seed)[0]
