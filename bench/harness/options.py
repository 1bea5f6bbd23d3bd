"""Options that all benchmarks have."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from bench.harness.peers import ROOT


def parser(description: str | None, name: str) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument(
        "--size", choices=("short", "whole"), default="short", help="Sizes that the other options do not set."
    )
    result.add_argument("--repeats", type=int, help="How often each arm is measured at each size.")
    result.add_argument("--arms", nargs="+", help="What is measured; default: everything of the size.")
    result.add_argument(
        "--work", type=Path, default=ROOT / "bench" / "out" / name, help="Where measurements are kept as they finish."
    )
    result.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="Where the tables go.")
    result.add_argument(
        "--idle",
        type=float,
        metavar="LOAD",
        help="Wait before each measurement until the load average of the last minute is below this, such as 0.7.",
    )
    result.add_argument("--fresh", action="store_true", help="Measure anew what was measured before.")
    return result


def parse(options: argparse.ArgumentParser, sizes: Mapping[str, Mapping[str, object]]) -> argparse.Namespace:
    """Parse the command line; what it leaves out comes from the size that is chosen."""
    args = options.parse_args()
    for name, value in sizes[args.size].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.fresh:
        (args.work / "measurements.jsonl").unlink(missing_ok=True)
    args.work.mkdir(parents=True, exist_ok=True)
    return args
