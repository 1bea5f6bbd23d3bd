"""Where a difference to the base comes from: length of the Book, depth of the evidence, number of distractors."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from medctx.schemas.statistics import Attribution, Stratum
from medctx_eval.stats.answers import UNKNOWN, Answers, per_item
from medctx_eval.stats.clusters import BoolArray, FloatArray, IntArray
from medctx_eval.stats.paired import Pair, differences
from medctx_eval.stats.seeds import CellRuns, runs_of
from medctx_eval.stats.trend import trend


def distractor_band(distractors: int) -> tuple[int, int]:
    """Band of a number of distractors: 0, 1, 2 to 3, 4 to 7, 8 to 15 and so on."""
    if distractors < 1:
        return 0, 0
    low = 1 << (distractors.bit_length() - 1)
    return low, 2 * low - 1


def _coordinates(answers: Answers) -> FloatArray:
    """Stratum of each question, (K, 3): tokens of the condition, depth of the evidence, fewest distractors of its band;
    -1 for what is not known.
    """
    pairs = [(condition.tokens, condition.depth) for condition in answers.parsed_conditions]
    known = np.array([[UNKNOWN if value is None else value for value in pair] for pair in pairs], dtype=np.float64)
    fewest = np.full(len(answers.condition), UNKNOWN, dtype=np.float64)
    if answers.distractors is not None:
        counts, index = np.unique(answers.distractors, return_inverse=True)
        bands = [UNKNOWN if count == UNKNOWN else distractor_band(count)[0] for count in counts.tolist()]
        fewest = np.array(bands, dtype=np.float64)[index]
    return np.column_stack([known[answers.condition], fewest])


def _strata(
    answers: Answers,
    coordinates: Sequence[float],
    rows: IntArray,
    pairs: Sequence[Pair],
    untrained: Collection[int],
    draws: int,
) -> list[Stratum]:
    """Each pair on the questions ``rows`` of one stratum; one variance of seeds is pooled for all."""
    items = per_item(answers.correct[:, rows], answers.items[rows], answers.clusters[rows])
    tokens, depth, fewest = (None if value == UNKNOWN else value for value in coordinates)
    return [
        Stratum(
            tokens=None if tokens is None else int(tokens),
            depth=depth,
            distractors=None if fewest is None else distractor_band(int(fewest)),
            difference=difference,
        )
        for difference in differences(items.values, items.clusters, pairs, draws=draws, untrained=untrained)
    ]


def attributions(
    answers: Answers, pairs: Sequence[Pair], *, untrained: Collection[int] = (), draws: int = 1000
) -> list[Attribution]:
    """Split the difference of each pair on the questions under gold and open conditions.

    Args:
        answers: The answers of all runs.
        pairs: Tuned cell and base of each comparison; a cell is a row of ``answers``, or a tuple of the rows of its
            training seeds.
        untrained: Rows of models without a training seed.
        draws: Bootstrap resamples.

    Returns:
        One attribution per pair.
    """
    reading = answers.under("gold", "open")
    if not reading.any():
        return [Attribution() for _ in pairs]
    coordinates = _coordinates(answers)
    opened = answers.under("open")

    def split(mask: BoolArray, *by: int) -> list[tuple[Stratum, ...]]:
        """Split by some of the three coordinates and pool the others; one tuple of strata per pair."""
        rows = np.flatnonzero(mask)
        if not len(rows):
            return [() for _ in pairs]
        selected = np.full((len(rows), 3), float(UNKNOWN))
        selected[:, by] = coordinates[rows][:, by]
        kinds, index = np.unique(selected, axis=0, return_inverse=True)
        order = np.argsort(index, kind="stable")
        groups = np.split(rows[order], np.cumsum(np.bincount(index))[:-1])
        strata = [
            _strata(answers, kind, group, pairs, untrained, draws)
            for kind, group in zip(kinds.tolist(), groups, strict=True)
        ]
        return list(zip(*strata, strict=True))

    counted = answers.distractors is not None and bool((answers.distractors[reading] != UNKNOWN).all())
    nothing: list[tuple[Stratum, ...]] = [() for _ in pairs]
    tables = (
        split(reading, 0),
        split(opened, 1),
        split(reading, 2) if counted else nothing,
        split(opened, 0, 1),
        split(reading, 0, 1, 2) if counted else nothing,
    )
    return [
        Attribution(
            by_tokens=by_tokens,
            by_depth=by_depth,
            by_distractors=by_distractors,
            by_tokens_and_depth=by_tokens_and_depth,
            by_all=by_all,
            trend=trend(answers, runs_of(pair[0]), runs_of(pair[1])),
        )
        for pair, by_tokens, by_depth, by_distractors, by_tokens_and_depth, by_all in zip(pairs, *tables, strict=True)
    ]


def attribution(
    answers: Answers, tuned: CellRuns, base: CellRuns, *, untrained: bool = True, draws: int = 1000
) -> Attribution:
    """``attributions`` of one pair; ``untrained`` says that the base has no training seed."""
    rows = runs_of(base) if untrained else ()
    return attributions(answers, [(tuned, base)], untrained=rows, draws=draws)[0]
