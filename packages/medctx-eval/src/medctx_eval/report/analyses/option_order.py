"""Stability of answers when the options change places, and preferred letters.

Shapes: R runs, K questions, N planned items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import ExamItem
from medctx.schemas.report import KNOWLEDGE, READING, UNTAUGHT
from medctx_eval.prompting.option_order import show
from medctx_eval.prompting.prompt import ORDERED
from medctx_eval.report.load.verdict_matrix import CORRECT, CodeArray, MaskArray, VerdictMatrix
from medctx_eval.report.load.view import FloatArray, ModeView
from medctx_eval.report.sections import LetterBias, OptionOrderScore


def _flips(view: ModeView) -> FloatArray:
    """1 where the answer to a planned item is not the same in every option order, (R, N)."""
    matrix = view.matrix
    chosen = matrix.chosen.astype(np.int64)
    # An answer without letters differs from one with letters as two letters differ.
    answer = np.where(chosen > 0, chosen, -1 - matrix.verdicts.astype(np.int64))
    smallest = np.minimum.reduceat(answer, matrix.starts, axis=1)
    return np.asarray(smallest != np.maximum.reduceat(answer, matrix.starts, axis=1), dtype=np.float64)


def option_order_scores(view: ModeView) -> Iterator[OptionOrderScore]:
    """Every cell on both axes, on the items asked in several option orders."""
    matrix = view.matrix
    several = (matrix.sizes > 1) & matrix.fits
    if not several.any():
        return
    flips, all_right = _flips(view), np.asarray(matrix.values == 1, dtype=np.float64)
    for part in (KNOWLEDGE, READING):
        kept = view.masks[part] & several if part in view.masks else several & False
        if not kept.any():
            continue
        mean, right, flipped = (view.shares(values, kept) for values in (matrix.values, all_right, flips))
        for cell in view.cells:
            yield OptionOrderScore(
                cell=cell,
                part=part,
                mode=view.mode,
                items=int(kept.sum()),
                orders=int(matrix.sizes[kept].max()),
                mean=mean[cell].value,
                all_right=right[cell],
                flips=flipped[cell],
            )


def _weights(matrix: VerdictMatrix, letters: list[str]) -> FloatArray:
    """Weight of each letter in each answer, (answers, letters); the letters of one answer add up to 1."""
    weights = np.zeros((len(matrix.answers), len(letters)))
    for code, answer in enumerate(matrix.answers):
        for letter in answer:
            weights[code, letters.index(letter)] = 1 / len(answer)
    return weights


def _shown(
    matrix: VerdictMatrix, items: Mapping[str, ExamItem], letters: list[str]
) -> tuple[NDArray[np.int64], MaskArray]:
    """The letter shown for each of an item's own letters, (K, letters), and whether it is known, (K,).

    Without the text of an item it is known only for the original option order.
    """
    pairs, index = np.unique(np.stack([matrix.item, matrix.order]), axis=1, return_inverse=True)
    table = np.tile(np.arange(len(letters)), (pairs.shape[1], 1))
    known = np.ones(pairs.shape[1], dtype=np.bool_)
    for row, (item_code, order) in enumerate(pairs.T.tolist()):
        item = items.get(matrix.items[item_code])
        if item is None:
            known[row] = order == 0
            continue
        for letter, own_letter in show(item, order).item_letters.items() if order else ():
            if letter in letters and own_letter in letters:
                table[row, letters.index(own_letter)] = letters.index(letter)
    return table[index.ravel()], known[index.ravel()]


def letter_biases(view: ModeView, items: Mapping[str, ExamItem]) -> Iterator[LetterBias]:
    """Every cell that answered with letters, in modes that list the options."""
    matrix = view.matrix
    masks = [view.masks[part] for part in (KNOWLEDGE, READING, UNTAUGHT) if part in view.masks]
    if view.mode not in ORDERED or not masks:
        return
    letters = sorted({letter for answer in matrix.answers for letter in answer})
    count = len(letters)
    weights = _weights(matrix, letters)
    shown, known = _shown(matrix, items, letters)
    kept = matrix.questions_of(np.logical_or.reduce(masks) & matrix.fits) & known
    if not kept.any():
        return
    shown, gold = shown[kept], matrix.gold[kept]

    def by_letter(answers: CodeArray, scale: FloatArray) -> FloatArray:
        """Total weight by shown letter of the answers (K,), each scaled by ``scale`` (K,)."""
        total: FloatArray = np.zeros(count)
        for column in range(count):
            total += np.bincount(shown[:, column], weights=weights[answers, column] * scale, minlength=count)
        return total

    occurs = by_letter(gold, np.ones(len(gold)))
    for cell in view.cells:
        rows = list(view.rows[cell])
        answers, correct = matrix.chosen[rows][:, kept], (matrix.verdicts[rows][:, kept] == CORRECT).astype(np.float64)
        chosen = sum((by_letter(row, np.ones(len(row))) for row in answers), np.zeros(count))
        right = sum((by_letter(gold, row) for row in correct), np.zeros(count))
        if not chosen.sum():
            continue
        recall = [float(right[at] / occurs[at] / len(rows)) if occurs[at] else None for at in range(count)]
        # An option that another condition adds is never chosen or right here.
        used = [at for at in range(count) if chosen[at] or occurs[at]]
        yield LetterBias(
            cell=cell,
            mode=view.mode,
            n=len(gold) * len(rows),
            chosen={letters[at]: float(chosen[at] / chosen.sum()) for at in used},
            gold={letters[at]: float(occurs[at] / occurs.sum()) for at in used},
            recall={letter: value for letter, value in zip(letters, recall, strict=True) if value is not None},
            spread=float(np.std([value for value in recall if value is not None])),
        )
