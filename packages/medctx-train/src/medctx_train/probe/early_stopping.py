"""When a probe's loss is proof enough to end a run: a test at every probe, its errors spent over all of them.

The items are the same at every probe and the model is another one, so what is tested changes from look to look and
the looks depend on each other in ways nobody knows. Two rules hold all the same:

* each look is a test by betting on the mean of bounded differences (Waudby-Smith and Ramdas, Estimating means of
  bounded random variables by betting, J. R. Stat. Soc. B 86(1), 2024): exact at any number of items, one bet per
  cluster;
* the error allowed is spent evenly over the looks that are planned (Lan and DeMets, Discrete sequential boundaries for
  clinical trials, Biometrika 70(3), 1983, with a linear spending function), added up by Bonferroni's inequality, which
  asks nothing of how looks depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def paired_losses(before: Mapping[str, bool], now: Mapping[str, bool], clusters: Mapping[str, str]) -> list[float]:
    """What each cluster lost: the mean over its items of right before less right now, in [-1, 1]."""
    groups: dict[str, list[int]] = {}
    for item, right in before.items():
        groups.setdefault(clusters[item], []).append(int(right) - int(now[item]))
    return [sum(values) / len(values) for values in groups.values()]


def evidence(losses: Sequence[float], margin: float, level: float) -> float:
    """The most that betting against "the mean loss is at most ``margin``" earned, from a stake of 1.

    ``losses``: independent values in [-1, 1]. Under that hypothesis the wealth exceeds ``1 / level`` with a chance
    of at most ``level`` (Ville's inequality). The bets are the paper's predictable plug-in for a known number of
    values, of a mean in [0, 1] and for one side, held to half of what could be lost.
    """
    centre = (margin + 1) / 2
    wealth = most = 1.0
    total, squares = 0.5, 0.25
    size = len(losses)
    for seen, loss in enumerate(losses, start=1):
        value = (loss + 1) / 2
        variance = squares / seen
        bet = min(math.sqrt(2 * math.log(1 / level) / (size * variance)), 0.5 / centre)
        wealth *= 1 + bet * (value - centre)
        most = max(most, wealth)
        total += value
        squares += (value - total / (seen + 1)) ** 2
    return most


def exceeds(losses: Sequence[float], margin: float, alpha: float, looks: int) -> bool:
    """Whether this look, one of ``looks`` planned ones, shows a mean loss above ``margin``."""
    level = alpha / looks
    return bool(losses) and evidence(losses, margin, level) >= 1 / level
