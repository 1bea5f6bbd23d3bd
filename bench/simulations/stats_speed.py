"""Time and memory of the inference of a large study: 7 cells, 12 Conditions, 11,171 items, 10,000 bootstrap draws.

    python -m bench.simulations.stats_speed --clusters 11171

First every cell's accuracy and all pairs of cells with p values, adjusted within each Condition; then every cell's
behaviour and every loss against the first cell, taken apart by length, depth and distractors with a logistic model. The
worst case is an exam whose items share no document. Exit code 1 above 60 s or 4 GiB.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from medctx_eval.stats import accuracies, differences, holm
from medctx_eval.stats.answers import Answers
from medctx_eval.stats.attribution import attributions
from medctx_eval.stats.behaviour import behaviours

SECONDS, BYTES = 60, 4 * 2**30
BOOKS = [f"open:{tokens}:{depth}" for tokens in (1024, 4096, 16384) for depth in (0, 0.5, 1)]
CONDITIONS = ("closed", "gold", *BOOKS, "distractor:4096")


def made(cells: int, items: int, clusters: int) -> Answers:
    """Answers to the same items under every Condition; harder items are harder for all cells."""
    rng = np.random.default_rng(0)
    difficulty = rng.random(items)
    item = np.tile(np.arange(items), len(CONDITIONS))
    correct = rng.random((cells, len(item)), dtype=np.float32) < difficulty[item]
    condition = np.repeat(np.arange(len(CONDITIONS)), items)
    nothing = np.zeros_like(correct)
    return Answers(
        item=item,
        cluster=item % clusters,
        condition=condition,
        conditions=CONDITIONS,
        taught=np.ones(len(item), dtype=np.bool_),
        fits=np.ones(len(item), dtype=np.bool_),
        correct=correct,
        wrong=~correct,
        abstained=nothing,
        from_memory=nothing,
        distractors=condition,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=7)
    parser.add_argument("--items", type=int, default=11_171)
    parser.add_argument("--clusters", type=int, default=11_171)
    parser.add_argument("--draws", type=int, default=10_000)
    chosen = parser.parse_args()
    answers = made(chosen.cells, chosen.items, chosen.clusters)
    pairs = [(later, earlier) for later in range(chosen.cells) for earlier in range(later)]
    begin, processor = time.perf_counter(), time.process_time()
    for code in range(len(CONDITIONS)):
        in_condition = answers.condition == code
        accuracies(answers.correct[:, in_condition], answers.clusters[in_condition])
        result = differences(
            answers.correct[:, in_condition], answers.clusters[in_condition], pairs, draws=chosen.draws
        )
        holm([difference.p for difference in result])
    compared = time.perf_counter() - begin
    behaviours(answers, range(chosen.cells), draws=chosen.draws)
    attributions(answers, [(cell, 0) for cell in range(1, chosen.cells)])
    seconds, used = time.perf_counter() - begin, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{chosen.cells} cells, {len(CONDITIONS)} Conditions, {chosen.items:,} items in {chosen.clusters:,} clusters, "
        f"{chosen.draws:,} draws: {compared:.1f} s for {len(pairs) * len(CONDITIONS)} comparisons, "
        f"{seconds - compared:.1f} s for behaviour and losses ({used:.0f} s of processor time), "
        f"peak {peak / 2**30:.2f} GiB"
    )
    raise SystemExit(1 if seconds > SECONDS or peak > BYTES else 0)


if __name__ == "__main__":
    main()
