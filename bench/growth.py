"""How cost grows: exponents of an exam in Book length, questions per Book and cells, and of a report in items.

    make bench-growth                            the short run
    make bench-growth SIZE=whole

What an exam costs is counted, not timed: the tokens that the transformers engine computes, with a model of two layers
that is made here. Exponent 1: twice as long, twice the tokens. Tokens per question fall as a Book is asked more often.
A report is timed by its processor seconds, on verdicts that are made (bench/scale/report_speed.py). The exponent of
training in the length of a row is measured by bench/training.py, that of mixing in rows by bench/data.py.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.exam_questions import exam_config, make_questions
from bench.harness import figure, options, results
from bench.harness.machine import machine
from bench.harness.measure import Measurements, Numbers
from bench.harness.numbers import exponent, spread
from bench.harness.peers import ROOT
from medctx.io.jsonl import write_text

TINY = "tiny-random-llama"
SIZES: dict[str, dict[str, object]] = {
    "short": {
        "lengths": [512, 1024, 2048],
        "counts": [1, 4, 16],
        "cells": [1, 2, 4],
        "items": [100, 200, 400],
        "repeats": 1,
    },
    "whole": {
        "lengths": [512, 1024, 2048, 4096, 8192, 16384],
        "counts": [1, 2, 5, 10, 20, 40],
        "cells": [1, 2, 4, 8],
        "items": [500, 1000, 2000, 4000, 8000],
        "repeats": 3,
    },
}
BOOKS, LENGTH, QUESTIONS = 2, 2048, 4
"""What is held while another size varies."""
POSITIONS = 2**16
LABELS = {
    "length": ("exam: computed tokens", "tokens of a Book"),
    "questions": ("exam: computed tokens", "questions on each Book"),
    "questions-tail": ("exam: computed tokens beyond one computation of each Book", "questions on each Book"),
    "cells": ("exam: computed tokens", "cells (models)"),
    "items": ("report: processor seconds", "items"),
}


def _long_model(work: Path, base: Path) -> Path:
    """A copy of a model that takes Books of every length measured here."""
    folder = work / "model"
    if not folder.is_dir():
        shutil.copytree(base, folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        write_text(folder / "config.json", json.dumps({**config, "max_position_embeddings": POSITIONS}))
    return folder


def computed_tokens(
    work: Path, *, length: int, questions: int, cells: int
) -> tuple[Numbers, dict[str, dict[str, float]]]:
    """Examine ``cells`` copies of a tiny model and count what was computed."""
    from medctx.io.jsonl import read_record
    from medctx.model.base import prepare_base
    from medctx.schemas.exam_run import EXAM_FILE, ExamManifest
    from medctx_eval.run.config import ModelConfig, RunConfig
    from medctx_eval.run.examine import examine

    model = _long_model(work, prepare_base(TINY)[0].resolve())
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        file = Path(scratch) / "questions.jsonl"
        make_questions(file, str(model), length=length, books=BOOKS, questions=questions)
        models = tuple(ModelConfig(name=f"cell-{number}", folder=model) for number in range(cells))
        config = RunConfig(models=models, exams=(exam_config(file),), engine="transformers", mode="text")
        manifests = [
            read_record(folder / EXAM_FILE, ExamManifest) for folder in examine(config, Path(scratch) / "runs")
        ]
    costs = [manifest.cost for manifest in manifests]
    if not all(cost.computed_tokens for cost in costs):
        raise ValueError(f"No question on Books of {length} tokens was computed.")
    tokens = sum(cost.computed_tokens or 0 for cost in costs)
    return {"cost": tokens, "prompt_tokens": sum(cost.prompt_tokens for cost in costs)}, {}


def report_seconds(work: Path, items: int) -> tuple[Numbers, dict[str, dict[str, float]]]:
    """Processor seconds of a report on seven cells, twelve Conditions and ``items`` items."""
    from bench.scale import report_speed
    from medctx_eval.report.build import publish
    from medctx_eval.report.compute import compute
    from medctx_eval.report.config import ReportConfig
    from medctx_eval.report.load.collect import collect
    from medctx_eval.report.load.exam_contents import read_contents

    with tempfile.TemporaryDirectory(dir=work) as scratch:
        folders = report_speed._write(Path(scratch) / "runs", items)
        config = ReportConfig(title="growth", draws=2_000)
        begun = time.process_time()
        collected = collect(folders)
        exam = read_contents(collected)
        publish(collected, compute(collected, config, exam), exam.items, Path(scratch) / "out", config)
        return {"cost": time.process_time() - begun}, {}


def points(measurements: Measurements, axis: str) -> dict[float, list[float]]:
    """Costs by size."""
    found: dict[float, list[float]] = {}
    for each in measurements:
        if each.arm == axis:
            found.setdefault(float(each.setting["size"]), []).append(each.numbers["cost"])
    return found


def beyond_books(by_questions: Mapping[float, Sequence[float]]) -> dict[float, list[float]]:
    """Costs of the questions alone: those of the Books are where the line through the first two points meets 0."""
    sizes = sorted(by_questions)
    first, second = (min(by_questions[size]) for size in sizes[:2])
    books = first - (second - first) / (sizes[1] - sizes[0]) * sizes[0]
    return {size: [cost - books for cost in by_questions[size]] for size in sizes}


def main() -> None:
    parser = options.parser(__doc__, "growth")
    parser.add_argument("--lengths", type=int, nargs="+", help="Tokens of a Book.")
    parser.add_argument("--counts", type=int, nargs="+", help="Questions on each Book.")
    parser.add_argument("--cells", type=int, nargs="+", help="Models of an exam.")
    parser.add_argument("--items", type=int, nargs="+", help="Items of a report.")
    sizes = {name: {**values, "arms": ["length", "questions", "cells", "items"]} for name, values in SIZES.items()}
    args = options.parse(parser, sizes)
    os.environ["MEDCTX_TRACKING"] = "off"
    measurements = Measurements(args.work / "measurements.jsonl", idle=args.idle)
    held = {"length": LENGTH, "questions": QUESTIONS, "cells": 1}
    for axis, several in (("length", args.lengths), ("questions", args.counts), ("cells", args.cells)):
        for size in several if axis in args.arms else ():
            setting = {**held, axis: size}
            measurements.take(
                axis, {"size": size, "of": axis}, 0, lambda setting=setting: computed_tokens(args.work, **setting)
            )
    if "items" in args.arms:
        for repeat in range(args.repeats):
            for size in args.items:
                measurements.take(
                    "items", {"size": size, "of": "items"}, repeat, lambda size=size: report_seconds(args.work, size)
                )
    axes = {axis: points(measurements, axis) for axis in ("length", "questions", "cells", "items")}
    if len(axes["questions"]) > 2:
        axes["questions-tail"] = beyond_books(axes["questions"])
    fits = {}
    lines = ["| cost | in | sizes | exponent [95 % interval] | n |", "|---|---|---|---|---|"]
    for axis, by_size in axes.items():
        if len(by_size) < 2:
            continue
        fitted = exponent(
            [size for size, costs in by_size.items() for _ in costs], [c for costs in by_size.values() for c in costs]
        )
        fits[axis] = fitted._asdict()
        cost, size = LABELS[axis]
        between = f"{min(by_size):,.0f} to {max(by_size):,.0f}"
        lines.append(
            f"| {cost} | {size} | {between} | {fitted.exponent:.2f} [{fitted.low:.2f}, {fitted.high:.2f}] | "
            f"{fitted.n} |"
        )
    series = {
        f"{LABELS[axis][0]} in {LABELS[axis][1]}": [(size, *spread(costs)[:3]) for size, costs in by_size.items()]
        for axis, by_size in axes.items()
        if len(by_size) > 1 and axis != "questions-tail"
    }
    held_text = (
        f"Held while another size varies: {BOOKS} Books of {LENGTH} tokens, {QUESTIONS} questions on each, one cell; "
        "counted with a model of two layers, whose tokens are those of any model with its tokenizer.\n\n"
    )
    results.write(
        args.results,
        "growth",
        "How cost grows",
        [("Exponents", held_text + "\n".join(lines))],
        {"exponents": fits},
        machine(ROOT),
        measurements,
    )
    figure.lines(args.results / "growth.png", series, "size", "cost", "How cost grows")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
