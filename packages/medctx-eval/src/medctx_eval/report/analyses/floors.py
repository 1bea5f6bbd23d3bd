"""What readers score that leave something out, and how far above them each cell is.

Shapes: R runs, N planned items.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx.schemas.report import KNOWLEDGE, READING, PartFloor
from medctx_eval.report.load import parts
from medctx_eval.report.load.exam_contents import ExamContents, offered
from medctx_eval.report.load.verdict_matrix import MaskArray
from medctx_eval.report.load.view import FloatArray, ModeView
from medctx_eval.report.sections import AboveFloor, LongestOption


def _planned_keys(view: ModeView) -> list[tuple[str, str]]:
    matrix = view.matrix
    codes = zip(matrix.item[matrix.starts].tolist(), matrix.condition[matrix.starts].tolist(), strict=True)
    return [(matrix.items[item], matrix.conditions[condition]) for item, condition in codes]


def _blind(view: ModeView, contents: ExamContents) -> tuple[FloatArray, MaskArray]:
    """Chances of the question-blind and the book-blind reader, (2, N), and where they are known, (N,)."""
    chances = [contents.blind.get(key) for key in _planned_keys(view)]
    known = np.array([chance is not None for chance in chances], dtype=np.bool_)
    return np.array([chance or (0.0, 0.0) for chance in chances], dtype=np.float64).T.reshape(2, -1), known


def _floored(view: ModeView, known: MaskArray) -> Iterator[tuple[str, MaskArray]]:
    """Axes and conditions all of whose items have a floor."""
    for part, mask in view.masks.items():
        if (part in (KNOWLEDGE, READING) or parts.is_condition(part)) and known[mask].all():
            yield part, mask


def part_floors(view: ModeView, contents: ExamContents) -> Iterator[PartFloor]:
    """Accuracy of the blind readers on both axes and under every condition, weighted as the cells' accuracies."""
    blind, known = _blind(view, contents)
    for part, mask in _floored(view, known):
        question, book = view.means(blind, mask).tolist()
        yield PartFloor(part=part, question_blind=question, book_blind=book)


def above_floors(view: ModeView, contents: ExamContents, *, draws: int, seed: int) -> Iterator[AboveFloor]:
    """Accuracy of every cell minus the expected accuracy of the question-blind reader, wherever a Book was read."""
    blind, known = _blind(view, contents)
    values = np.concatenate([view.matrix.values, blind[:1]])
    reader = len(values) - 1
    for part, mask in _floored(view, known):
        kept = mask & view.matrix.fits
        if part == KNOWLEDGE or parts.parse_condition(part).kind == "closed" or not kept.any():
            continue
        pairs = [(rows, reader) for rows in view.rows.values()]
        results = view.paired(values, kept, pairs, {*view.untrained, reader}, draws=draws, seed=seed)
        for cell, difference in zip(view.rows, results, strict=True):
            yield AboveFloor(cell=cell, part=part, difference=difference, outcome=difference.outcome())


def longest_options(view: ModeView, contents: ExamContents) -> Iterator[LongestOption]:
    """How often each cell chooses an option of the most characters, on both axes."""
    matrix = view.matrix
    keys = _planned_keys(view)
    known = np.array([item in contents.items for item, _ in keys], dtype=np.bool_)
    if not known.any():
        return
    indifferent = np.zeros(len(keys))
    codes = {answer: code for code, answer in enumerate(matrix.answers)}
    chosen = np.zeros(matrix.chosen.shape, dtype=np.float64)
    for place, (name, condition) in enumerate(keys):
        if not known[place]:
            continue
        options = offered(contents.items[name], condition).options
        most = max(map(len, options.values()))
        longest = [letter for letter, text in options.items() if len(text) == most]
        indifferent[place] = len(longest) / len(options)
        begin = int(matrix.starts[place])
        columns = slice(begin, begin + int(matrix.sizes[place]))
        answers = [code for letter in longest if (code := codes.get((letter,))) is not None]
        chosen[:, columns] = np.isin(matrix.chosen[:, columns], answers)
    shares = np.add.reduceat(chosen, matrix.starts, axis=1) / matrix.sizes
    for part in (KNOWLEDGE, READING):
        mask = view.masks.get(part)
        if mask is None or not known[mask].all():
            continue
        by_chance = float(view.means(indifferent[None], mask)[0])
        for cell, accuracy in view.shares(shares, mask).items():
            yield LongestOption(cell=cell, part=part, chosen=accuracy, indifferent=by_chance)
