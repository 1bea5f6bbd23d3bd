"""Whether answers hold when the options change places, and which letters a cell favours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import ExamItem
from medctx_eval.planning.option_order import show
from medctx_eval.planning.requests import ORDERED
from medctx_eval.report.load.verdict_matrix import CORRECT, Aligned
from medctx_eval.report.load.view import Sheet
from medctx_eval.report.model import KNOWLEDGE, READING, UNTAUGHT, Letters, Orders
from medctx_eval.stats.clusters import BoolArray

Floats = NDArray[np.float64]


def _flips(sheet: Sheet) -> Floats:
    """(R, N): 1 where the answer of a seat is not the same in every order."""
    aligned = sheet.aligned
    chosen = aligned.chosen.astype(np.int64)
    # An answer without letters is as different from one with as two letters are.
    said = np.where(chosen > 0, chosen, -1 - aligned.verdicts.astype(np.int64))
    least = np.minimum.reduceat(said, aligned.starts, axis=1)
    return np.asarray(least != np.maximum.reduceat(said, aligned.starts, axis=1), dtype=np.float64)


def orders(sheet: Sheet) -> Iterator[Orders]:
    """Every cell on both axes, where items were asked in several orders."""
    aligned = sheet.aligned
    several = (aligned.sizes > 1) & aligned.fits
    if not several.any():
        return
    flips, all_right = _flips(sheet), np.asarray(aligned.values == 1, dtype=np.float64)
    for part in (KNOWLEDGE, READING):
        kept = sheet.masks[part] & several if part in sheet.masks else several & False
        if not kept.any():
            continue
        mean, every, flipped = (sheet.shares(values, kept) for values in (aligned.values, all_right, flips))
        for cell in sheet.cells:
            yield Orders(
                cell=cell,
                part=part,
                mode=sheet.mode,
                items=int(kept.sum()),
                orders=int(aligned.sizes[kept].max()),
                mean=mean[cell].value,
                all_right=every[cell],
                flips=flipped[cell],
            )


def _weights(aligned: Aligned, letters: list[str]) -> Floats:
    """(answers, letters): every answer weighs 1, dealt over its letters."""
    dealt = np.zeros((len(aligned.answers), len(letters)))
    for code, answer in enumerate(aligned.answers):
        for letter in answer:
            dealt[code, letters.index(letter)] = 1 / len(answer)
    return dealt


def _shown(aligned: Aligned, items: Mapping[str, ExamItem], letters: list[str]) -> tuple[NDArray[np.int64], BoolArray]:
    """(K, letters) the shown letter of each of an item's own; and (K,) whether it is known: without the item's text
    only where the options stand as they were given.
    """
    turns, places = np.unique(np.stack([aligned.item, aligned.order]), axis=1, return_inverse=True)
    table = np.tile(np.arange(len(letters)), (turns.shape[1], 1))
    known = np.ones(turns.shape[1], dtype=np.bool_)
    for row, (code, turn) in enumerate(turns.T.tolist()):
        item = items.get(aligned.items[code])
        if item is None:
            known[row] = turn == 0
            continue
        for letter, own in show(item, turn).own.items() if turn else ():
            if letter in letters and own in letters:
                table[row, letters.index(own)] = letters.index(letter)
    return table[places.ravel()], known[places.ravel()]


def letters_of(sheet: Sheet, items: Mapping[str, ExamItem]) -> Iterator[Letters]:
    """Every cell that answered with letters, in modes that list the options."""
    aligned = sheet.aligned
    wanted = [sheet.masks[part] for part in (KNOWLEDGE, READING, UNTAUGHT) if part in sheet.masks]
    if sheet.mode not in ORDERED or not wanted:
        return
    letters = sorted({letter for answer in aligned.answers for letter in answer})
    count = len(letters)
    weights = _weights(aligned, letters)
    shown, known = _shown(aligned, items, letters)
    kept = aligned.keys_of(np.logical_or.reduce(wanted) & aligned.fits) & known
    if not kept.any():
        return
    shown, gold = shown[kept], aligned.gold[kept]

    def spread_over(answers: NDArray[np.int32], scale: Floats) -> Floats:
        """Weight by shown letter of (N,) answers, each weighing ``scale``."""
        total: Floats = np.zeros(count)
        for own in range(count):
            total += np.bincount(shown[:, own], weights=weights[answers, own] * scale, minlength=count)
        return total

    asked = spread_over(gold, np.ones(len(gold)))
    for cell in sheet.cells:
        rows = list(sheet.rows[cell])
        said, correct = aligned.chosen[rows][:, kept], (aligned.verdicts[rows][:, kept] == CORRECT).astype(np.float64)
        chosen = sum((spread_over(own, np.ones(len(own))) for own in said), np.zeros(count))
        right = sum((spread_over(gold, own) for own in correct), np.zeros(count))
        if not chosen.sum():
            continue
        recall = [float(right[at] / asked[at] / len(rows)) if asked[at] else None for at in range(count)]
        # An option that another Condition adds is never chosen nor right here.
        used = [at for at in range(count) if chosen[at] or asked[at]]
        yield Letters(
            cell=cell,
            mode=sheet.mode,
            n=len(gold) * len(rows),
            chosen={letters[at]: float(chosen[at] / chosen.sum()) for at in used},
            gold={letters[at]: float(asked[at] / asked.sum()) for at in used},
            recall={letter: one for letter, one in zip(letters, recall, strict=True) if one is not None},
            spread=float(np.std([one for one in recall if one is not None])),
        )
