"""Several comparisons shown together are one family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(values: Sequence[float]) -> list[float]:
    """Holm-adjusted p values in the order given; each in [0, 1]. Holm (1979), Scand. J. Statistics 6:65-70.

    As statsmodels' ``multipletests`` gives them, whose every call collects the garbage of the whole process: a report
    with a hundred comparisons waited seconds for that.
    """
    given = np.asarray(values, dtype=float)
    order = np.argsort(given, kind="stable")
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)), 1.0)
    return [float(value) for value in adjusted]
