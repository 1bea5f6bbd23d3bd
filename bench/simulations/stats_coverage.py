"""How often the intervals are right: coverage, false alarms and power on simulated exams.

    python -m bench.simulations.stats_coverage --exams 5000

Coverage of differences must lie between 0.93 and 0.97, that of accuracies at 0.93 or above, false alarms at 0.06 or
below, power within 0.05 of what `medctx-eval power` predicts. A row outside these bounds by more than two standard
errors of the simulation fails, and the exit code is 1; one outside by less is named in brackets. McNemar's test, which
assumes independent items, and the interval of the cluster bootstrap alone are shown for comparison and held to nothing.
The second table has accuracies on clusters of 1 to 40 items, and cells of which one varies more between seeds; the
third differences on such clusters, under one and three conditions, and taught items minus untaught ones.
"""

from __future__ import annotations

import argparse
import time

from bench.support.stats_coverage import (
    CLUSTERS,
    AccuracyRow,
    DifferenceRow,
    Limits,
    Row,
    accuracy_rows,
    difference_rows,
    grid,
)

HEADER = (
    f"{'clusters':>8} {'ICC':>4} {'differ':>6} {'seeds':>5} {'sd':>5} {'effect':>7} | {'accuracy':>8} {'null':>6} "
    f"{'effect':>6} {'bootstrap':>9} | {'interval':>8} {'p':>6} {'McNemar':>7} | {'power':>6} {'plan':>6} |"
)


def line(row: Row, limits: Limits) -> str:
    """One row; what is out of bounds by less than the simulation's noise stands in brackets."""
    power = "" if row.power is None else f"{row.power:.3f}"
    predicted = "" if row.predicted is None else f"{row.predicted:.3f}"
    churn = "" if row.churn is None else f"{row.churn:.2f}"
    failed, near = row.failures(limits), row.failures(Limits())
    verdict = f"FAILS: {', '.join(failed)}" if failed else f"({', '.join(near)})" if near else "ok"
    return (
        f"{row.clusters:8d} {row.icc:4.1f} {churn:>6} {row.seeds:5d} {row.seed_deviation:5.2f} {row.effect:7.3f} | "
        f"{row.cover_accuracy:8.3f} {row.cover_null:6.3f} {row.cover_effect:6.3f} {row.cover_bootstrap:9.3f} | "
        f"{row.alarm:8.3f} {row.alarm_p:6.3f} {row.alarm_mcnemar:7.3f} | {power:>6} {predicted:>6} | {verdict}"
    )


def accuracy_line(row: AccuracyRow, limits: Limits) -> str:
    """One row of the table of accuracies."""
    failed, near = row.failures(limits), row.failures(Limits())
    verdict = "FAILS" if failed else "(below)" if near else "ok"
    return (
        f"{row.clusters:8d} {row.icc:4.1f} {row.accuracy:8.2f} {row.conditions:10d} {row.seeds:5d} | "
        f"{row.covered:7.3f} {100 * row.width:6.1f} {row.flagged:7.3f} | {verdict}"
    )


def difference_line(row: DifferenceRow, limits: Limits) -> str:
    """One row of the table of differences on unequal clusters."""
    failed, near = row.failures(limits), row.failures(Limits())
    verdict = f"FAILS: {', '.join(failed)}" if failed else f"({', '.join(near)})" if near else "ok"
    return (
        f"{row.kind:>6} {row.clusters:8d} {row.icc:4.1f} {row.accuracy:8.2f} {row.conditions:10d} {row.seeds:5d} | "
        f"{row.covered_null:6.3f} {row.covered_effect:6.3f} {row.claimed:7.3f} {100 * row.width:6.1f} | {verdict}"
    )


def main() -> None:
    """Print the table; end with exit code 1 where a row fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exams", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--clusters", type=int, nargs="*", default=CLUSTERS, help="Clusters of the exams.")
    parser.add_argument("--unequal", action="store_true", help="Only the tables of unequal clusters.")
    parser.add_argument("--rows", type=int, nargs="*", help="Only these rows of the table, counted from 0.")
    chosen = parser.parse_args()
    begin = time.perf_counter()
    noise = (0.05 * 0.95 / chosen.exams) ** 0.5
    limits = Limits(slack=2 * noise)
    print(f"{'':39} | {'coverage of':^32} | {'false alarms by':^23} |")
    print(HEADER)
    failed = 0
    settings = grid(chosen.clusters)
    places = chosen.rows if chosen.rows is not None else range(0 if chosen.unequal else len(settings))
    for place in places:
        row = settings[place].measure(chosen.exams, chosen.draws)
        failed += bool(row.failures(limits))
        print(line(row, limits), flush=True)
    if chosen.rows is None:
        print(
            f"\n{'clusters':>8} {'ICC':>4} {'accuracy':>8} {'conditions':>10} {'seeds':>5} | covered  width flagged |"
        )
        for accuracy_row in accuracy_rows(chosen.exams):
            failed += bool(accuracy_row.failures(limits))
            print(accuracy_line(accuracy_row, limits), flush=True)
        print(
            f"\n{'kind':>6} {'clusters':>8} {'ICC':>4} {'accuracy':>8} {'conditions':>10} {'seeds':>5} |   null effect "
            "claimed  width |"
        )
        for difference_row in difference_rows(chosen.exams):
            failed += bool(difference_row.failures(limits))
            print(difference_line(difference_row, limits), flush=True)
    seconds = time.perf_counter() - begin
    print(f"{chosen.exams} exams a row (standard error {noise:.4f}), {seconds:.0f} s; {failed} rows fail")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
