"""How often the intervals are right: coverage, false alarms and power on simulated exams.

    python bench/stats_coverage.py --exams 1000

Coverage should be 0.95 and false alarms 0.05; McNemar's test is shown to be what it is when items are clustered.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from medctx_eval.stats import accuracy, difference
from medctx_eval.stats.simulate import paired_exam

HEADER = (
    f"{'clusters':>8} {'ICC':>4} | {'cover acc':>9} {'cover diff':>10} | "
    f"{'alarm interval':>14} {'alarm swap':>10} {'alarm McNemar':>13} | {'power +10':>9} {'detectable':>10}"
)


def measure(clusters: int, icc: float, exams: int, draws: int) -> str:
    """One row: ``exams`` exams without a difference and as many with one of ten points."""
    rng = np.random.default_rng([clusters, round(icc * 100)])
    seen: list[list[float]] = []
    for _ in range(exams):
        null = paired_exam(rng, clusters, icc, accuracy=0.5, gain=0.0, churn=0.3)
        real = paired_exam(rng, clusters, icc, accuracy=0.5, gain=0.1, churn=0.3)
        score = accuracy(real.first, real.clusters)
        nothing = difference(null.first, null.second, null.clusters, draws=draws, seed=int(rng.integers(2**31)))
        gain = difference(real.first, real.second, real.clusters, draws=draws, seed=int(rng.integers(2**31)))
        seen.append(
            [
                score.low <= 0.6 <= score.high,
                gain.low <= 0.1 <= gain.high,
                nothing.word != "ties with",
                nothing.p_swap < 0.05,
                nothing.p_mcnemar < 0.05,
                gain.word == "gains",
                gain.detectable,
            ]
        )
    mean = np.mean(seen, axis=0)
    return (
        f"{clusters:8d} {icc:4.1f} | {mean[0]:9.3f} {mean[1]:10.3f} | "
        f"{mean[2]:14.3f} {mean[3]:10.3f} {mean[4]:13.3f} | {mean[5]:9.3f} {mean[6]:10.3f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exams", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    chosen = parser.parse_args()
    begin = time.perf_counter()
    print(HEADER)
    for clusters in (20, 60, 200):
        for icc in (0.0, 0.1, 0.3):
            print(measure(clusters, icc, chosen.exams, chosen.draws), flush=True)
    noise = 1.96 * (0.05 * 0.95 / chosen.exams) ** 0.5
    print(f"{chosen.exams} exams a row (coverage +-{noise:.3f}), {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
