"""Time of finding repeated rows: `medctx-data mix` beside datatrove's MinHash pipeline.

    make bench-data                              the short run: 2,000 rows
    make bench-data SIZE=whole                   100,000 and 1,000,000 rows, five times each
    make bench-data ARGS="--rows 10000 --repeats 3"

The same made rows (three of a hundred repeat an earlier row, three nearly) with as many processes as there are cores:

- medctx: the whole `medctx-data mix` with near_duplicates: 0.8: rows are read, equal and similar ones left out across
  both sources, every candidate pair compared by its shingles, tokens counted, Dialogues ordered and written.
- datatrove: signatures, buckets, clusters and filter of its MinHash example, at its default bands (14 of 8 hashes);
  candidates are not compared.

A ratio is refused where one of them finds less than nine tenths of the planted repetitions (equal rows, and rows whose
shingles are as similar as is asked for).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from bench.harness import figure, options, results
from bench.harness.machine import machine
from bench.harness.measure import Measurement, Measurements, Numbers, Setting, turns
from bench.harness.numbers import exponent
from bench.harness.peers import ROOT, peer_python
from bench.harness.processes import last_record, run
from bench.scale import data_scale
from medctx.io.jsonl import read_rows

ARMS = ("medctx", "datatrove")
SIZES: dict[str, dict[str, object]] = {
    "short": {"rows": [2_000], "repeats": 2, "arms": list(ARMS)},
    "whole": {"rows": [100_000, 1_000_000], "repeats": 5, "arms": list(ARMS)},
}
LEAST_FOUND = 0.9
"""Least share of the planted repetitions that an arm has to find."""


def differ(first: Sequence[Measurement], second: Sequence[Measurement]) -> str:
    """Say which of two arms missed repetitions that were planted; "" if neither did."""
    for measurement in (*first, *second):
        if measurement.numbers["found"] < LEAST_FOUND:
            return f"{measurement.arm} found {measurement.numbers['found']:.0%} of the planted repetitions"
    return ""


def share_found(texts: Mapping[str, str], removed: Set[str], exact: Set[str], near: Mapping[str, str]) -> float:
    """Share of planted repetitions that are not kept beside what they repeat; which of the two stays is free.

    Args:
        texts: Every row.
        removed: Rows that were left out.
        exact: Rows that repeat another row as it is.
        near: Rows that nearly repeat another, and that one.
    """
    alike: dict[str, list[str]] = {}
    for row, text in texts.items():
        alike.setdefault(text, []).append(row)
    found = 0
    for text in {texts[row] for row in exact}:
        found += min(len(alike[text]) - 1, sum(row in removed for row in alike[text]))
    planted = sum(len(alike[text]) - 1 for text in {texts[row] for row in exact})
    for row, of in near.items():
        found += row in removed or any(other in removed for other in alike[texts[of]])
    return found / (planted + len(near))


def rows_for_peers(folder: Path) -> Path:
    """The rows of both sources with their ids, in one file."""
    path = folder / "rows.jsonl"
    if not path.is_file():
        with path.open("w", encoding="utf-8") as stream:
            for name in ("general", "medical"):
                for number, row in read_rows(folder / f"{name}.jsonl"):
                    text = f"{row['instruction']}\n{row['output']}"
                    stream.write(json.dumps({"id": f"{name}-{number}", "text": text}, ensure_ascii=False) + "\n")
    return path


def measure(arm: str, folder: Path, work: Path, size: int) -> tuple[Numbers, dict[str, dict[str, float]]]:
    """Find the repeated rows once."""
    # Words with spaces only: datatrove splits the rows of a run as one language.
    planted = data_scale.make(folder, size, unspaced_share=0.0)
    near = {row: planted.near[row] for row in data_scale.similar_rows(folder, planted)}
    source = rows_for_peers(folder)
    texts = {str(row["id"]): str(row["text"]) for _, row in read_rows(source)}
    log = work / "logs" / f"{arm}.log"
    shutil.rmtree(work / arm, ignore_errors=True)
    if arm == "medctx":
        command: list[str | Path] = [sys.executable, "-m", "medctx_data.cli.main", "mix", "--out", work / arm]
        keys = (
            f"tokenizer={folder / data_scale.TOKENIZER}",
            "clean.duplicates=mix clean.near_duplicates=0.8 clean.same_question=false format=parquet",
            data_scale.sources(folder, ", amount: all"),
        )
        command += [part for key in keys for part in ("--set", key)]
        shutil.rmtree(work / "cache", ignore_errors=True)
        finished = run(command, log, {"MEDCTX_CACHE": str(work / "cache"), "MEDCTX_TRACKING": "off"})
        seconds = finished.seconds
        removed = {str(row["row"]) for _, row in read_rows(work / arm / "exclusions.jsonl")}
    else:
        script = ROOT / "bench" / "peers" / "datatrove_dedup.py"
        cores = str(len(os.sched_getaffinity(0)))
        finished = run([peer_python(arm), script, source, work / arm, cores], log, {"PYTHONPATH": ""})
        record = last_record(finished.output)
        seconds = dict(record["numbers"])["seconds"]  # type: ignore[call-overload]
        kept = set(Path(str(record["kept"])).read_text(encoding="utf-8").split())
        removed = set(texts) - kept
    numbers: Numbers = {
        "seconds": seconds,
        "rows_per_second": size / seconds,
        "found": share_found(texts, removed, planted.exact, near),
        "removed": len(removed),
        "process_seconds": finished.seconds,
        "cpu_seconds": finished.processor,
        "peak_gib": finished.peak / 2**30,
    }
    return numbers, {}


def main() -> None:
    parser = options.parser(__doc__, "data")
    parser.add_argument("--rows", type=int, nargs="+", help="Numbers of rows.")
    args: argparse.Namespace = options.parse(parser, SIZES)
    measurements = Measurements(args.work / "measurements.jsonl", idle=args.idle)
    for size in args.rows:
        setting: Setting = {"rows": size}
        for repeat, arm in turns(args.arms, args.repeats):
            measurements.take(
                arm,
                setting,
                repeat,
                lambda arm=arm, size=size: measure(arm, args.work / f"rows-{size}", args.work, size),
            )
    rows = results.rows_of(measurements, "seconds", ("medctx",), differ)
    title = "Repeated rows found by medctx and by datatrove"
    sections = [("Seconds", results.table(rows, "seconds"))]
    record: results.Row = {"rows": rows}
    series = {
        arm: [
            tuple(float(str(row[name])) for name in ("rows", "median", "least", "most"))
            for row in rows
            if row["arm"] == arm
        ]
        for arm in args.arms
    }
    lines = []
    growth = {}
    for arm, points in series.items():
        if len(points) > 1:
            fitted = exponent([point[0] for point in points], [point[1] for point in points])
            growth[arm] = fitted._asdict()
            lines.append(f"- {arm}: seconds grow with the rows to the power {fitted.exponent:.2f}")
    if lines:
        record["growth"] = growth
        sections.append(("Growth", "\n".join(lines)))
    results.write(args.results, "data", title, sections, record, machine(ROOT), measurements)
    figure.lines(args.results / "data.png", series, "rows", "seconds", title)  # type: ignore[arg-type]
    print(results.table(rows, "seconds"))


if __name__ == "__main__":
    main()
