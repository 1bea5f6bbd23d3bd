"""Whether two arms gave the same answers; where they did not, their times are not compared."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import NamedTuple

Answers = Mapping[str, Mapping[str, float]]
"""By question, the log-probability of each option."""

MEAN_NATS = 0.2
"""Largest mean distance of an option's log-probability between two arms: bfloat16 alone makes 0.02 to 0.2."""
LEAST_SAME = 0.9
"""Least share of questions whose likeliest option is the same, of those that either arm decides by ``CLOSE``."""
CLOSE = 0.3


class Agreement(NamedTuple):
    """How far two arms are apart.

    Attributes:
        nats: Mean distance of an option's log-probability, each taken relative to the mean of its question.
        same: Share of decided questions with the same likeliest option.
        decided: Number of decided questions.
        compared: Number of questions with two options or more that both arms valued.
    """

    nats: float
    same: float
    decided: int
    compared: int

    @property
    def holds(self) -> bool:
        """Whether the arms gave the same answers, up to rounding."""
        return bool(self.compared) and self.nats <= MEAN_NATS and self.same >= LEAST_SAME


def _centred(options: Mapping[str, float], names: list[str]) -> dict[str, float]:
    mean = statistics.fmean(options[name] for name in names)
    return {name: options[name] - mean for name in names}


def _lead(options: Mapping[str, float]) -> float:
    best, second = sorted(options.values(), reverse=True)[:2]
    return best - second


def agreement(first: Answers, second: Answers) -> Agreement:
    """Compare the options that both arms valued.

    A harness may count a token before the option to every option of a question, so log-probabilities are compared
    relative to their question's mean.
    """
    gaps: list[float] = []
    same = decided = compared = 0
    for question in first.keys() & second.keys():
        names = sorted(first[question].keys() & second[question].keys())
        if len(names) < 2:
            continue
        compared += 1
        one, other = _centred(first[question], names), _centred(second[question], names)
        gaps += [abs(one[name] - other[name]) for name in names]
        if max(_lead(one), _lead(other)) >= CLOSE:
            decided += 1
            same += max(one, key=one.__getitem__) == max(other, key=other.__getitem__)
    return Agreement(statistics.fmean(gaps) if gaps else 0.0, same / decided if decided else 1.0, decided, compared)
