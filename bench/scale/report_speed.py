"""Time, memory and size of a report on seven cells x twelve Conditions x 11,171 items, beside the inference.

Synthetic verdicts are written first (not counted). ``python -m bench.scale.report_speed --items 2000``: a smaller one.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

from medctx.io.digest import of_text
from medctx.io.jsonl import write_records
from medctx.schemas.exam_run import EXAM_FILE, Cost, ExamCard, ExamManifest
from medctx.schemas.records import Axis, Book, ExamItem, Judged, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.report.build import publish
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import collect
from medctx_eval.report.load.exam_contents import read_contents

CELLS = ("base", "1:0", "9:1", "4:1", "1:1", "1:4", "0:1")
LENGTHS, DEPTHS = (512, 2048, 8192), ("0", "0.5", "1")
CONDITIONS = ("closed", "gold", *(f"open:{length}:{depth}" for length in LENGTHS for depth in DEPTHS), "distractor")
PER_BOOK = 8


def _axis(condition: str) -> Axis:
    kind = condition.split(":", maxsplit=1)[0]
    return "knowledge" if kind == "closed" else "abstention" if kind == "distractor" else "reading"


def _judged(cell: str, items: int) -> Iterator[Judged]:
    rng = Random(cell)
    chance = {"knowledge": 0.3 + 0.02 * CELLS.index(cell), "reading": 0.7 - 0.02 * CELLS.index(cell), "abstention": 0.5}
    for item in range(items):
        gold = "ABCDE"[item % 5]
        for condition in CONDITIONS:
            axis = _axis(condition)
            right = rng.random() < chance[axis]
            yield Judged(
                item=f"cmb/{item}",
                exam="cmb-open",
                condition=condition,
                axis=axis,
                cluster=f"book-{item // PER_BOOK}",
                mode="letter",
                verdict=Verdict.CORRECT if right else Verdict.WRONG,
                chosen=(gold if right else "ABCDE"[(item + rng.randint(1, 4)) % 5],),
                gold=(gold,),
                book="" if condition == "closed" else f"{item // PER_BOOK}/{condition}",
                tags={"kind": "single"},
            )


def _paper(root: Path, items: int) -> None:
    write_records(
        root / "paper" / run_folder.ITEMS,
        (
            ExamItem(
                id=f"cmb/{item}",
                exam="cmb-open",
                question=f"Which of these belongs to subject {item}? " + "The patient is well. " * 6,
                options={letter: f"option {letter} of subject {item}" for letter in "ABCDE"},
                gold=("ABCDE"[item % 5],),
                evidence=(f"statement/{item}",),
                cluster=f"book-{item // PER_BOOK}",
            )
            for item in range(items)
        ),
    )
    lengths = {"gold": 40, "distractor": 40, **{f"open:{n}:{depth}": n for n in LENGTHS for depth in DEPTHS}}
    write_records(
        root / "paper" / run_folder.BOOKS,
        (
            Book(
                id=f"{book}/{condition}",
                text=f"Subject {book}. " + "A statement. " * (tokens // 3),
                passages=tuple(f"statement/{item}" for item in range(book * PER_BOOK, (book + 1) * PER_BOOK)),
                tokens=tokens,
            )
            for book in range(-(-items // PER_BOOK))
            for condition, tokens in lengths.items()
        ),
    )


def _write(root: Path, items: int) -> list[Path]:
    card = ExamCard(name="cmb-open", source="synthetic", licence="none", citation="none", items=items, digest="0" * 64)
    folders = []
    _paper(root, items)
    for cell in CELLS:
        manifest = ExamManifest(
            model=cell,
            cell=cell,
            weights_digest=of_text("weights"),
            adapter_digest="" if cell == "base" else of_text(cell),
            engine="none",
            mode="letter",
            modes=("letter",),
            exam_plan="paper",
            exams=(card,),
            conditions=CONDITIONS,
            n=items * len(CONDITIONS),
            cost=Cost(),
        )
        write_records(root / cell / run_folder.VERDICTS, _judged(cell, items))
        (root / cell / EXAM_FILE).write_text(manifest.model_dump_json())
        folders.append(root / cell)
    return folders


def _loadavg() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=11_171)
    parser.add_argument("--draws", type=int, default=10_000)
    options = parser.parse_args()
    config = ReportConfig(title="speed", draws=options.draws)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = _write(root / "runs", options.items)
        print(f"{len(CELLS)} cells x {len(CONDITIONS)} conditions x {options.items:,} items, {options.draws:,} draws")
        print(f"load before (1, 5, 15 minutes): {_loadavg()} on {os.cpu_count()} cores")
        fingerprints = [time.perf_counter()]
        collected = collect(folders)
        exam = read_contents(collected)
        fingerprints.append(time.perf_counter())
        computed = compute(collected, config, exam)
        fingerprints.append(time.perf_counter())
        publish(collected, computed, exam.items, root / "out", config)
        fingerprints.append(time.perf_counter())
        reading, inference, writing = (end - begin for begin, end in pairwise(fingerprints))
        print(f"read and line up   {reading:6.1f} s")
        print(f"inference          {inference:6.1f} s")
        print(f"figures and pages  {writing:6.1f} s")
        print(f"beside inference   {reading + writing:6.1f} s")
        print(f"peak memory        {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:6.2f} GiB")
        for file in sorted((root / "out").glob("report.*")):
            print(f"{file.name:18} {file.stat().st_size / 1e6:6.2f} MB")
        print(f"load after: {_loadavg()}")


if __name__ == "__main__":
    main()
