"""Early stopping: a test at every probe of whether reading accuracy has fallen by more than the margin.

All probes ask the same items of a changing model, so the tests of different probes depend on each other in an unknown
way. Two rules make the error of all tests together at most ``alpha``:

* each test bets on the mean of bounded differences (Waudby-Smith and Ramdas, Estimating means of bounded random
  variables by betting, J. R. Stat. Soc. B 86(1), 2024), which is exact for any number of items, with one bet per
  cluster;
* ``alpha`` is spent evenly over the planned probes (Lan and DeMets, Discrete sequential boundaries for clinical trials,
  Biometrika 70(3), 1983, with a linear spending function) and added up by Bonferroni's inequality, which holds for any
  dependence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def cluster_losses(before: Mapping[str, bool], now: Mapping[str, bool], cluster_of: Mapping[str, str]) -> list[float]:
    """Return the loss of accuracy of each cluster: mean over its items of correct before minus correct now.

    Args:
        before: Whether each item was answered correctly before, by item id.
        now: Whether each item is answered correctly now.
        cluster_of: The cluster of each item.

    Returns:
        One value per cluster, in [-1, 1].
    """
    groups: dict[str, list[int]] = {}
    for item, correct_before in before.items():
        groups.setdefault(cluster_of[item], []).append(int(correct_before) - int(now[item]))
    return [sum(values) / len(values) for values in groups.values()]


def betting_wealth(losses: Sequence[float], margin: float, level: float) -> float:
    """Return the largest wealth reached by betting against "the mean loss is at most ``margin``", from a stake of 1.

    Under that hypothesis the wealth exceeds ``1 / level`` with probability at most ``level`` (Ville's inequality). The
    bets are the predictable plug-in of Waudby-Smith and Ramdas for a known number of values, one-sided, for a mean in
    [0, 1], and limited to half of what could be lost.

    Args:
        losses: Independent values in [-1, 1].
        margin: The hypothesised mean, in [0, 1).
        level: The significance level that the bets are tuned to.
    """
    centre = (margin + 1) / 2
    wealth = largest = 1.0
    total, squares = 0.5, 0.25
    size = len(losses)
    for seen, loss in enumerate(losses, start=1):
        value = (loss + 1) / 2
        variance = squares / seen
        bet = min(math.sqrt(2 * math.log(1 / level) / (size * variance)), 0.5 / centre)
        wealth *= 1 + bet * (value - centre)
        largest = max(largest, wealth)
        total += value
        squares += (value - total / (seen + 1)) ** 2
    return largest


def exceeds_margin(losses: Sequence[float], margin: float, alpha: float, planned_probes: int) -> bool:
    """Return True if this probe, one of ``planned_probes``, shows a mean loss above ``margin``."""
    level = alpha / planned_probes
    return bool(losses) and betting_wealth(losses, margin, level) >= 1 / level
