"""How often the law is right: simulated studies whose truth is known, in forms it has and in forms it has not.

    python -m bench.simulations.law_simulation --studies 100

Each row simulates the verdicts of whole studies (240 items in 60 clusters, paired and correlated between runs, and the
untouched model), leaves every cell out in turn and predicts it. Shown are how many runs lie in the 95 % prediction
intervals and the mean absolute error of the law, a Gaussian process, a straight line between cells and the nearest
cell, in points; the first pair of columns counts cells between others alone. In brackets: standard errors of the
simulation over studies. `--recommend` instead tells how often the interval of the best composition holds the true
one, that of the gain the true gain, and how often a composition is truly within the margin when it is said to be so
with 90 % confidence; `--saturation` what is said of amount curves. The exit code is 1 where a form the law has is
covered at less than 0.93 by more than two standard errors.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.pool import Pool

import numpy as np
from scipy import special

from bench.support.law_simulate import RATIOS, READING, WRONG, Design, study
from study.law.evidence.evidence import Evidence
from study.law.evidence.points import DesignPoint, FloatArray, Measured, MeasuredRun
from study.law.model.saturation import saturation
from study.law.recommend.recommend import recommend_composition
from study.law.recommend.records import Options
from study.law.records import METHODS
from study.law.validate.leave_out import validate

SEVEN, FIVE, THREE = tuple(RATIOS.values()), (1.0, 0.8, 0.5, 0.2, 0.0), (1.0, 0.5, 0.0)
DESIGNS = {
    "7 ratios x 2 seeds": Design(SEVEN, 2, 0.08),
    "7 x 1": Design(SEVEN, 1, 0.08),
    "7 x 2, noisy runs": Design(SEVEN, 2, 0.2),
    "5 x 1": Design(FIVE, 1, 0.08),
} | {
    f"+ 2 amounts, {growth}": Design(SEVEN, 2, 0.08, amounts=(0.5, 2.0), growth=growth)
    for growth in ("none", "slowing", "gaining speed", "threshold")
}
LEAST = 0.93
MARGIN, BASE_READING, BASE_KNOWLEDGE = 0.05, 0.6, 0.3


@dataclass(frozen=True)
class Tried:
    """One simulated study: hits and number of runs (all, between), and mean absolute errors by method (all,
    between).
    """

    hits: tuple[int, int]
    runs: tuple[int, int]
    process: int
    errors: tuple[dict[str, float], dict[str, float]]


def knowing(shares: FloatArray) -> FloatArray:
    return np.asarray(special.expit(-0.85 + 1.7 * (1 - shares) ** 0.8))


def left_out(shape: str, design: Design, seed: int) -> Tried:
    measured = study(READING[shape], BASE_READING, design, np.random.default_rng([seed, 77])).measured
    result = validate(measured, "cell")
    assert result is not None
    between = [prediction for prediction in result.held_out if prediction.between]
    return Tried(
        hits=(result.covered, sum(validation.inside for validation in between)),
        runs=(result.runs, sum(len(validation.measured) for validation in between)),
        process=result.covered_process,
        errors=(result.errors, result.errors_between),
    )


def spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({np.std(values, ddof=1) / np.sqrt(len(values)):.3f})"


def error(tried: list[Tried], which: int, method: str) -> float:
    return 100 * float(np.mean([study_result.errors[which][method] for study_result in tried]))


def row(shape: str, design: str, tried: list[Tried]) -> tuple[str, bool]:
    rates = [[study_result.hits[which] / study_result.runs[which] for study_result in tried] for which in (1, 0)]
    process = float(np.mean([study_result.process / study_result.runs[0] for study_result in tried]))
    ahead = [100 * (study_result.errors[1]["straight"] - study_result.errors[1]["law"]) for study_result in tried]
    errors = " ".join(f"{error(tried, which, method):5.2f}" for which in (1, 0) for method in METHODS)
    limit = LEAST - 2 * float(np.std(rates[1], ddof=1)) / np.sqrt(len(tried))
    fails = shape not in WRONG and shape != "replay" and float(np.mean(rates[1])) < limit
    verdict = "FAILS" if fails else "ok" if shape not in WRONG else ""
    mark = f"{np.mean(ahead):+.2f} ({np.std(ahead, ddof=1) / np.sqrt(len(ahead)):.2f})"
    return (
        f"{design:26} {shape:10} | {spread(rates[0])} {spread(rates[1])} {process:.3f} | {errors} | {mark} {verdict}",
        fails,
    )


def recommended(shape: str, design: Design, seed: int) -> tuple[bool, bool, bool | None, float, float]:
    """Whether the true optimum and the true gain are in their intervals; whether what was said to keep reading does;
    the length of the optimum's interval; and what knowledge the choice falls short of the best.
    """
    rng = np.random.default_rng([seed, 78])
    knowledge = study(knowing, BASE_KNOWLEDGE, design, rng, "knowledge").measured
    reading = study(READING[shape], BASE_READING, design, rng, "reading").measured
    evidence = Evidence("made", (knowledge, reading), {}, base="base", seeds=design.seeds)
    result = recommend_composition(evidence, Options(margin=MARGIN, seeds=design.seeds, batch=0))
    grid = np.linspace(0, 1, 101)
    keeps = READING[shape](grid) >= BASE_READING - MARGIN
    best = float(grid[np.where(keeps, knowing(grid), -1).argmax()])
    knowledge_there = float(knowing(np.array([result.share]))[0])
    truly = bool(READING[shape](np.array([result.share]))[0] >= BASE_READING - MARGIN)
    gain = knowledge_there - BASE_KNOWLEDGE
    return (
        result.optimum.low - 0.005 <= best <= result.optimum.high + 0.005,
        result.improvement.low <= gain <= result.improvement.high,
        truly if result.holds >= result.options.confidence else None,
        result.optimum.high - result.optimum.low,
        100 * (float(knowing(np.array([best]))[0]) - knowledge_there),
    )


AMOUNTS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "constant": lambda amounts: np.full_like(amounts, 0.5),
    "rising": lambda amounts: 0.4 + 0.06 * np.log2(amounts / 1e4),
    "saturating": lambda amounts: 0.4 + 0.06 * np.log2(np.minimum(amounts, 4e4) / 1e4),
    "exponential": lambda amounts: 0.35 + 0.2 * (1 - np.exp(-amounts / 2e4)),
    "falling": lambda amounts: 0.6 - 0.04 * np.log2(amounts / 1e4),
}


def amount_curve(name: str, places: int, seeds: int, seed: int) -> tuple[str, bool]:
    """What is said of a curve over amounts from 10,000 in factors of two, and whether the change-point's interval
    holds the true one (40,000 for ``saturating``).
    """
    rng = np.random.default_rng([seed, 79])
    amounts = 1e4 * 2.0 ** np.arange(places)
    truth = np.repeat(AMOUNTS[name](amounts), seeds)
    scores = special.expit(special.logit(truth) + 0.08 * rng.standard_normal(len(truth)))
    seen = rng.binomial(1000, scores) / 1000
    runs = tuple(
        MeasuredRun(f"{amount:g}", DesignPoint(0.5, float(amount)), float(accuracy))
        for amount, accuracy in zip(np.repeat(amounts, seeds), seen, strict=True)
    )
    result = saturation(Measured("knowledge", runs), MARGIN)
    low, high = result.change_low or amounts[0], result.change_high or amounts[-1]
    return result.word, bool(low <= 4e4 * 1.001 and high >= 4e4 * 0.999)


def each(pool: Pool, work: Callable[[int], object], studies: int) -> list[object]:
    return list(pool.imap(work, range(studies)))


def saturation_table(pool: Pool, studies: int) -> int:
    for places, seeds in ((3, 2), (5, 2), (8, 1), (8, 3)):
        for name in AMOUNTS:
            outcomes = each(pool, partial(amount_curve, name, places, seeds), studies)
            words = Counter(word for word, _ in outcomes)  # type: ignore[misc]
            holds = float(np.mean([inside for _, inside in outcomes]))  # type: ignore[misc]
            shown = ", ".join(f"{word} {100 * count / studies:.0f} %" for word, count in words.most_common())
            kept = f"; interval holds 40,000: {100 * holds:.0f} %" if name == "saturating" else ""
            print(f"{places} amounts x {seeds} seeds, {name:11}: {shown}{kept}", flush=True)
    return 0


def recommendation_table(pool: Pool, studies: int, designs: list[str], requested: list[str]) -> int:
    print(
        f"{'':37} | optimum in its interval, gain in its interval, keeps reading where said, length, regret", flush=True
    )
    for design in designs:
        for name in requested or READING:
            outcomes = each(pool, partial(recommended, name, DESIGNS[design]), studies)
            optimum, gain, keeps, length, regret = zip(*outcomes, strict=True)  # type: ignore[misc]
            said = [kept for kept in keeps if kept is not None]
            rate = f"{np.mean(said):.3f} of {len(said)}" if said else "never said"
            print(
                f"{design:26} {name:10} | {spread(list(optimum))} {spread(list(gain))} {rate:>13} "
                f"{np.mean(length):.2f} {np.mean(regret):+.1f} points",
                flush=True,
            )
    return 0


def left_out_table(pool: Pool, studies: int, designs: list[str], requested: list[str]) -> int:
    columns = (
        f"covered: between, all, process | errors between: {', '.join(METHODS)}; the same of all | ahead of straight"
    )
    print(f"{'':37} | {columns}", flush=True)
    failed = 0
    for design in designs:
        for name in requested or READING:
            outcomes = each(pool, partial(left_out, name, DESIGNS[design]), studies)
            line, fails = row(name, design, outcomes)  # type: ignore[arg-type]
            failed += fails
            print(line, flush=True)
    return failed


def main() -> None:
    """Print the tables; end with exit code 1 where a row fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS), choices=list(DESIGNS))
    parser.add_argument("--shapes", nargs="*", default=[], choices=list(READING))
    parser.add_argument("--recommend", action="store_true")
    parser.add_argument("--saturation", action="store_true")
    chosen = parser.parse_args()
    # Small matrices: threads of a BLAS only get into each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    begin = time.perf_counter()
    with get_context("spawn").Pool(chosen.jobs) as pool:
        if chosen.saturation:
            failed = saturation_table(pool, chosen.studies)
        elif chosen.recommend:
            failed = recommendation_table(pool, chosen.studies, chosen.designs, chosen.shapes)
        else:
            failed = left_out_table(pool, chosen.studies, chosen.designs, chosen.shapes)
    print(f"{chosen.studies} studies a row, {time.perf_counter() - begin:.0f} s; {failed} rows fail")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
