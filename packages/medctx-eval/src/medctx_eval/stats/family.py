"""Several comparisons shown together are one family."""

from __future__ import annotations

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def holm(values: Sequence[float]) -> list[float]:
    """Holm-adjusted p values in the order given; each in [0, 1]. Holm (1979), Scand. J. Statistics 6:65-70."""
    if not values:
        return []
    return [float(value) for value in multipletests(list(values), method="holm")[1]]
