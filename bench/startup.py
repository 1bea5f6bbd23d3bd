"""Start-up: `--help` of every command, and dry runs of an exam and of a study.

    make bench-startup                           median of five
    make bench-startup ARGS="--repeats 3 --only medctx-eval"

Each command is measured as a whole process, by the clock and by processor time (which other work on the machine hardly
changes). Goals by the clock on an idle machine: 0.4 s for `--help`, 2 s for
`medctx-eval run --dry-run`, 5 s for `study run --dry-run` of 1,000 cells. The latter is measured with what earlier runs
left in the cache folder, and with an empty one that holds the base alone, as the first study on a machine finds it:
sources are then read and the model is built once. `tests/unit/floor/test_startup.py` holds what is imported.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from bench.harness import options, results
from bench.harness.machine import machine
from bench.harness.measure import Measurements, Numbers, Setting, turns
from bench.harness.peers import ROOT
from bench.harness.processes import run
from medctx.model.embedded import EMBEDDED

PROGRAMS = {
    "medctx-data": "medctx_data.cli.main",
    "medctx-train": "medctx_train.cli",
    "medctx-eval": "medctx_eval.cli.main",
    "study": "study.cli",
}
GOALS = {"help": 0.4, "exam": 2.0, "study": 5.0}
Answers = dict[str, dict[str, float]]
FIRST = "study run --dry-run, 1,000 cells, empty cache"


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """A program and all its commands, as the words that are typed after its name."""
    yield path
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))


def study_file(work: Path) -> Path:
    """A study of 1,000 trained cells: 20 ratios, 10 amounts, 5 seeds."""
    file = work / "thousand.yaml"
    study = yaml.safe_load((ROOT / "studies" / "quick.yaml").read_text(encoding="utf-8"))
    study |= {
        "name": "thousand",
        "ratios": [f"{part}:{20 - part}" for part in range(20)],
        "amounts": [20_000 + 1_000 * step for step in range(10)],
        "seeds": list(range(5)),
    }
    study.pop("plan", None)
    study.pop("confirmation", None)
    file.write_text(yaml.safe_dump(study), encoding="utf-8")
    return file


def arms(work: Path, only: list[str]) -> dict[str, tuple[str, list[str]]]:
    """What is measured: by its name the goal it has and its command line after `python -m`."""
    chosen: dict[str, tuple[str, list[str]]] = {}
    for program, module in PROGRAMS.items():
        if only and program not in only:
            continue
        imported = __import__(module, fromlist=["main"])
        for path in commands(imported.main):
            chosen[" ".join((program, *path, "--help"))] = ("help", [module, *path, "--help"])
    exam = "exams=[{exam: phenotypes-facts, conditions: [closed, gold], limit: 48}]"
    model = "models=[{name: base, folder: %s}]" % (work / "model")
    if not only or "medctx-eval" in only:
        keys = ["--set", exam, "--set", model, "--set", "engine=transformers"]
        chosen["medctx-eval run --dry-run"] = ("exam", [PROGRAMS["medctx-eval"], "run", *keys, "--dry-run"])
    if not only or "study" in only:
        dry_run = ["study", "run", str(study_file(work)), "--trust-config", "--dry-run"]
        chosen["study run --dry-run, 1,000 cells"] = ("study", dry_run)
        chosen[FIRST] = ("study", dry_run)
    return chosen


def empty_cache(work: Path) -> Path:
    """A cache folder that holds the base alone."""
    folder = work / "cache"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / EMBEDDED).symlink_to((work / "model").resolve())
    return folder


def measure(command: list[str], log: Path, cache: Path | None) -> tuple[Numbers, Answers]:
    """Start a command once, with its bytecode kept as an installation keeps it."""
    environment = {"PYTHONDONTWRITEBYTECODE": "", "MEDCTX_TRACKING": "off", "HF_HUB_OFFLINE": "1"}
    environment |= {"MEDCTX_CACHE": str(cache)} if cache else {}
    finished = run([sys.executable, "-m", *command], log, environment)
    return {"seconds": finished.seconds, "cpu_seconds": finished.processor, "peak_mib": finished.peak / 2**20}, {}


def main() -> None:
    parser = options.parser(__doc__, "startup")
    parser.add_argument("--only", nargs="+", default=[], choices=list(PROGRAMS), help="Programs to measure.")
    args = options.parse(parser, {"short": {"repeats": 5}, "whole": {"repeats": 5}})
    from medctx.model.base import prepare_base

    link = args.work / "model"
    if not link.exists():
        link.symlink_to(prepare_base(EMBEDDED)[0].resolve())
    chosen = arms(args.work, args.only)
    if args.arms:
        chosen = {name: value for name, value in chosen.items() if any(text in name for text in args.arms)}
    measurements = Measurements(args.work / "measurements.jsonl", idle=args.idle)
    setting: Setting = {}
    log = args.work / "logs" / "command.log"
    for name, (_, command) in chosen.items():

        def once(command: list[str] = command, first: bool = name == FIRST) -> tuple[Numbers, Answers]:
            return measure(command, log, empty_cache(args.work) if first else None)

        once()  # its files are read and compiled once
        for repeat, _ in turns([name], args.repeats):
            measurements.take(name, setting, repeat, once)
    rows = [row for row in results.rows_of(measurements, "seconds", ()) if row["arm"] in chosen]
    cpu = {str(row["arm"]): row for row in results.rows_of(measurements, "cpu_seconds", ())}
    lines = [
        "| command | goal s | seconds (median [least, largest]) | processor seconds | meets the goal |",
        "|---|---|---|---|---|",
    ]
    missed = 0
    for row in rows:
        name = str(row["arm"])
        goal = GOALS[chosen[name][0]]
        by_clock, by_processor = float(str(row["median"])), float(str(cpu[name]["median"]))
        met = by_clock <= goal
        missed += not met
        verdict = "yes" if met else "by processor time" if by_processor <= goal else "no"
        between = f"[{row['least']:.2f}, {row['most']:.2f}]"
        lines.append(f"| {name} | {goal} | {by_clock:.2f} {between} | {by_processor:.2f} | {verdict} |")
    sections = [(f"{len(rows)} commands, {missed} above their goal by the clock", "\n".join(lines))]
    results.write(args.results, "startup", "Start-up", sections, {"rows": rows}, machine(ROOT), measurements)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
