"""How often the gate promotes a cell that should not be, over all cells of a study, and its power.

    python -m bench.simulations.gate_error --studies 2000

Nine cells read exactly as much worse than their base as the margin allows, and all of them gain knowledge beyond doubt:
at most 5 % of studies may promote one. A row above that by more than two standard errors fails (exit code 1). The last
rows have cells that read as well as their base: the share that passes stands beside the power that reports state.
"""

from __future__ import annotations

import argparse
import time

from bench.support.gate_error import ERROR_RATE, settings


def main() -> None:
    """Print the table; end with exit code 1 where a row fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    chosen = parser.parse_args()
    begin = time.perf_counter()
    slack = 2 * (ERROR_RATE * (1 - ERROR_RATE) / chosen.studies) ** 0.5
    failed = 0
    print("clusters  ICC seeds   sd cells  true | any promoted  each alone | cells promoted  power stated |")
    for setting in settings():
        row = setting.measure(chosen.studies)
        fails = row.difference < 0 and row.any_promoted > ERROR_RATE + slack
        failed += fails
        print(
            f"{row.clusters:8d} {row.icc:4.1f} {row.seeds:5d} {row.seed_deviation:4.2f} {row.cells:5d} "
            f"{row.difference:5.2f} | {row.any_promoted:12.3f} {row.any_alone:11.3f} | {row.promoted:14.3f} "
            f"{row.predicted:13.3f} | {'FAILS' if fails else 'ok'}",
            flush=True,
        )
    print(f"{chosen.studies} studies a row, {time.perf_counter() - begin:.0f} s; {failed} rows fail")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
