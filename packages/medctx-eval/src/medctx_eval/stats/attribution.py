"""Where a loss against the base lies: by length of the Book, depth of the evidence and number of distractors."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from medctx.schemas.records import Record
from medctx.schemas.report import Difference
from medctx_eval.stats.answers import UNKNOWN, Answers
from medctx_eval.stats.clusters import BoolArray, FloatArray, IntArray
from medctx_eval.stats.collapse import per_item
from medctx_eval.stats.paired import Pair, differences
from medctx_eval.stats.seeds import Rows, rows_of
from medctx_eval.stats.trend import Trend, trend


class Loss(Record):
    """The tuned model minus base where Books have up to ``tokens`` (nothing: evidence only), the evidence lies at
    ``depth`` in [0, 1], and between ``distractors`` Passages (fewest, most) stand beside it; nothing for what is taken
    together.
    """

    tokens: int | None = None
    depth: float | None = None
    distractors: tuple[int, int] | None = None
    difference: Difference


class Attribution(Record):
    """A difference to base taken apart, every part with its items and interval; ``crossed`` by all three at once.

    ``by_distractors`` is empty where the Books are not at hand. ``trend`` puts length and depth into one model.
    """

    by_tokens: tuple[Loss, ...] = ()
    by_depth: tuple[Loss, ...] = ()
    by_distractors: tuple[Loss, ...] = ()
    by_tokens_and_depth: tuple[Loss, ...] = ()
    crossed: tuple[Loss, ...] = ()
    trend: Trend | None = None


def band(distractors: int) -> tuple[int, int]:
    """The band of a count: 0, 1, 2 to 3, 4 to 7, 8 to 15 and so on."""
    if distractors < 1:
        return 0, 0
    low = 1 << (distractors.bit_length() - 1)
    return low, 2 * low - 1


def _spots(answers: Answers) -> FloatArray:
    """Where each row belongs, (K, 3): tokens asked for, depth of the evidence, fewest distractors of its band; -1 for
    what is not known.
    """
    asked = [(place.tokens, place.depth) for place in answers.places]
    known = np.array([[UNKNOWN if one is None else one for one in both] for both in asked], dtype=np.float64)
    fewest = np.full(len(answers.condition), UNKNOWN, dtype=np.float64)
    if answers.distractors is not None:
        counts, index = np.unique(answers.distractors, return_inverse=True)
        bands = [UNKNOWN if count == UNKNOWN else band(count)[0] for count in counts.tolist()]
        fewest = np.array(bands, dtype=np.float64)[index]
    return np.column_stack([known[answers.condition], fewest])


def _losses(
    answers: Answers,
    spot: Sequence[float],
    rows: IntArray,
    pairs: Sequence[Pair],
    untrained: Collection[int],
    draws: int,
) -> list[Loss]:
    """Every pair on some rows of the answers; one variance of seeds is taken for all."""
    per = per_item(answers.correct[:, rows], answers.items[rows], answers.clusters[rows])
    tokens, depth, fewest = (None if one == UNKNOWN else one for one in spot)
    return [
        Loss(
            tokens=None if tokens is None else int(tokens),
            depth=depth,
            distractors=None if fewest is None else band(int(fewest)),
            difference=found,
        )
        for found in differences(per.values, per.clusters, pairs, draws=draws, untrained=untrained)
    ]


def attributions(
    answers: Answers, pairs: Sequence[Pair], *, untrained: Collection[int] = (), draws: int = 1000
) -> list[Attribution]:
    """Take the difference between the two cells of every pair apart, on what both read (gold and open).

    A cell is a row of ``answers``, or a tuple of the rows of its training seeds; the second of a pair is its base.
    ``untrained`` names rows without a training seed.
    """
    asked = answers.of("gold", "open")
    if not asked.any():
        return [Attribution() for _ in pairs]
    spots = _spots(answers)
    opened = answers.of("open")

    def losses(mask: BoolArray, *by: int) -> list[tuple[Loss, ...]]:
        """By some of the three columns of ``spots``, the others taken together; for every pair."""
        rows = np.flatnonzero(mask)
        own = np.full((len(rows), 3), float(UNKNOWN))
        own[:, by] = spots[rows][:, by]
        kinds, index = np.unique(own, axis=0, return_inverse=True)
        order = np.argsort(index, kind="stable")
        groups = np.split(rows[order], np.cumsum(np.bincount(index))[:-1])
        if not len(rows):
            return [() for _ in pairs]
        found = [
            _losses(answers, spot, group, pairs, untrained, draws)
            for spot, group in zip(kinds.tolist(), groups, strict=True)
        ]
        return list(zip(*found, strict=True))

    counted = answers.distractors is not None and bool((answers.distractors[asked] != UNKNOWN).all())
    nothing: list[tuple[Loss, ...]] = [() for _ in pairs]
    tables = (
        losses(asked, 0),
        losses(opened, 1),
        losses(asked, 2) if counted else nothing,
        losses(opened, 0, 1),
        losses(asked, 0, 1, 2) if counted else nothing,
    )
    return [
        Attribution(
            by_tokens=by_tokens,
            by_depth=by_depth,
            by_distractors=by_distractors,
            by_tokens_and_depth=by_both,
            crossed=crossed,
            trend=trend(answers, rows_of(pair[0]), rows_of(pair[1])),
        )
        for pair, by_tokens, by_depth, by_distractors, by_both, crossed in zip(pairs, *tables, strict=True)
    ]


def attribute(answers: Answers, first: Rows, base: Rows, *, untrained: bool = True, draws: int = 1000) -> Attribution:
    """:func:`attributions` of one pair; ``untrained``: base has no training seed."""
    rows = rows_of(base) if untrained else ()
    return attributions(answers, [(first, base)], untrained=rows, draws=draws)[0]
