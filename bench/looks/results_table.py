"""The Markdown table of a finished study, as the pages in docs/results show it.

    python -m bench.looks.results_table work/studies/quick

Reads the study's ``report.json``; differences are points with 95 % intervals.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.report import LEARNING, ReportCore
from medctx.schemas.statistics import Difference
from medctx.schemas.study_plan import PlanAxis
from medctx_eval.stats.formatting import accuracy_with_interval, difference_interval, percent, points


def difference_text(difference: Difference) -> str:
    """A difference in points with its interval."""
    return f"{points(difference.value)} [{difference_interval(difference)}]"


def rows(report: ReportCore) -> list[list[str]]:
    """The header and a row per cell: each axis, its difference to the base, and the accuracy of each seed."""
    axes = [axis for axis in get_args(PlanAxis) if report.score(report.base, axis) is not None]
    header = ["cell"]
    for axis in axes:
        score = report.score(report.base, axis)
        assert score is not None
        to_base = "taught minus untaught, to base" if report.measure(axis) == LEARNING else "to base"
        header += [f"{axis} % ({score.n} items)", to_base, "each seed"]
    table = [header]
    for cell in report.cells:
        row = [cell.name]
        for axis in axes:
            score, gain = report.score(cell.name, axis), report.axis_gain(cell.name, axis)
            seeds = [percent(value) for value in score.seeds] if score and len(score.seeds) > 1 else []
            row += [
                accuracy_with_interval(score.accuracy if score else None),
                difference_text(gain.difference) if gain else "",
                ", ".join(seeds),
            ]
        table.append(row)
    return table


def lines(table: list[list[str]]) -> list[str]:
    """The table in Markdown."""
    marked = [f"| {' | '.join(row)} |" for row in table]
    return [marked[0], "|" + "---|" * len(table[0]), *marked[1:]]


def main() -> None:
    """Print the table of a study folder and, where a plan was registered, its primary contrast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="Folder of a finished study.")
    try:
        report = read_record(parser.parse_args().folder / "report.json", ReportCore)
    except MedctxError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    print("\n".join(lines(rows(report))))
    if report.registration is not None:
        print(f"\n{report.registration.statement}")


if __name__ == "__main__":
    main()
