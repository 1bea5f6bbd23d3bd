"""Useful tokens per second of LoRA training on MedQuAD and Alpaca, 1:1 by tokens: medctx beside TRL.

    make bench-training                          the short run
    make bench-training SIZE=whole               five slices of 64 Dialogues, all arms
    make bench-training ARGS="--dialogues 8 --repeats 2 --arms medctx trl-packed"

Every repetition is another slice of Dialogues, which all arms train from the same model (bfloat16, or float32
throughout where the processor knows no half precision; LoRA r=16 on all linear layers, float32 adapters, AdamW, loss on
answers), one after the other in a process of its own. Start and loading are not timed. A useful token is one of a
Dialogue.

- medctx: as `medctx-train sft` trains.
- trl-padded: TRL's SFTTrainer, 8 Dialogues a batch; gradient checkpointing, which TRL switches on, is off, as in
  medctx.
- trl-grouped: the same, Dialogues of like length in a batch. trl-packed: TRL's packing (best fit), one row at a time.
- trl-default: padded with every default of TRL, gradient checkpointing too.
- medctx-ROW: medctx with rows of ROW tokens, for the exponent of a token's cost in the length of a row.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from bench import train_mix
from bench.harness import figure, options, results
from bench.harness.machine import machine
from bench.harness.measure import Measurement, Measurements, Numbers, Setting, turns
from bench.harness.numbers import exponent, spread
from bench.harness.peers import ROOT, peer_python
from bench.harness.processes import last_record, run
from medctx.process.cpu import bfloat16_is_slow

ARMS = ("medctx", "trl-padded", "trl-grouped", "trl-packed", "trl-default")
SIZES: dict[str, dict[str, object]] = {
    "short": {"dialogues": 8, "repeats": 2, "arms": ["medctx", "trl-packed"], "rows": []},
    "whole": {"dialogues": 64, "repeats": 5, "arms": list(ARMS), "rows": [256, 512, 1024, 2048]},
}
MOST_USEFUL, MOST_LOSS = 0.05, 0.2
"""Largest relative difference of useful tokens, and of the mean loss, between arms that did the same work."""


def differ(first: Sequence[Measurement], second: Sequence[Measurement]) -> str:
    """Say how far two arms trained on different tokens or to different losses; "" if they did the same."""
    for mine, theirs in zip(first, second, strict=False):
        for name, most in (("useful", MOST_USEFUL), ("loss", MOST_LOSS)):
            a, b = mine.numbers[name], theirs.numbers[name]
            if abs(a - b) > most * b:
                return f"{name} differs: {a:,.2f} and {b:,.2f}"
    return ""


def slices(args: argparse.Namespace, count: int, row_tokens: int) -> list[Path]:
    """A folder with ``mix`` and its config for each repetition; every slice has other Dialogues."""
    folder = args.work / f"slices-{args.dialogues}-{row_tokens}"
    marker = folder / f"{count}.done"
    if not marker.is_file():
        drawn = argparse.Namespace(
            **{**vars(args), "dialogues": args.dialogues * count, "row_tokens": row_tokens, "data": args.data}
        )
        config, dialogues = train_mix.prepare(drawn, folder)
        settings = yaml.safe_load(config.read_text())
        lines = dialogues.read_text(encoding="utf-8").splitlines()
        for number in range(count):
            part = folder / f"slice-{number}"
            (part / "mix").mkdir(parents=True, exist_ok=True)
            chosen = lines[number * args.dialogues : (number + 1) * args.dialogues]
            (part / "mix" / "dialogues.jsonl").write_text("".join(f"{line}\n" for line in chosen), encoding="utf-8")
            (part / "sft.yaml").write_text(yaml.safe_dump({**settings, "mix": str(part / "mix")}))
        marker.touch()
    return [folder / f"slice-{number}" for number in range(count)]


def measure(
    arm: str, part: Path, args: argparse.Namespace, row_tokens: int
) -> tuple[Numbers, dict[str, dict[str, float]]]:
    """Train one slice once."""
    settings = {
        "arm": arm,
        "base": str(args.model),
        "config": str(part / "sft.yaml"),
        "dialogues": str(part / "mix" / "dialogues.jsonl"),
        "row_tokens": row_tokens,
        "rows_per_step": args.rows_per_step,
        "learning_rate": 2e-4,
        "bf16": not bfloat16_is_slow(),
        "threads": args.threads,
    }
    file = args.work / f"{arm}.json"
    file.write_text(json.dumps(settings))
    command: list[str | Path]
    if arm.startswith("trl"):
        command = [peer_python("trl"), ROOT / "bench" / "peers" / "trl_training.py", file]
        environment = {"PYTHONPATH": ""}
    else:
        command, environment = [sys.executable, "-m", "bench.medctx_training", file], {}
    finished = run(
        command, args.work / "logs" / f"{arm}.log", environment | {"MEDCTX_TRACKING": "off", "HF_HUB_OFFLINE": "1"}
    )
    numbers: Numbers = dict(last_record(finished.output)["numbers"])  # type: ignore[call-overload]
    extra = {"process_seconds": finished.seconds, "cpu_seconds": finished.processor, "peak_gib": finished.peak / 2**30}
    return numbers | {"fill": numbers["useful"] / numbers["positions"]} | extra, {}


def growth(measurements: Measurements, rows: Sequence[int], folder: Path) -> tuple[str, results.Row]:
    """The exponent of the cost of a row in its length, which is 1 where attention costs nothing."""
    points = {
        row: [
            each.numbers["seconds"] / each.numbers["useful"] * row
            for each in measurements
            if each.arm == f"medctx-{row}"
        ]
        for row in rows
    }
    costs = [(row, cost) for row, several in points.items() for cost in several]
    fitted = exponent([row for row, _ in costs], [cost for _, cost in costs])
    series = {"medctx": [(float(row), *spread(several)[:3]) for row, several in points.items()]}
    figure.lines(
        folder / "training_growth.png", series, "tokens of a row", "seconds of a full row", "Training by length"
    )
    text = (
        f"Seconds of a full row grow with its tokens to the power {fitted.exponent:.2f} "
        f"[{fitted.low:.2f}, {fitted.high:.2f}] ({fitted.n} measurements, rows of {min(rows)} to {max(rows)})."
    )
    return text, fitted._asdict()


def main() -> None:
    parser = options.parser(__doc__, "training")
    train_mix.add_options(parser)
    parser.set_defaults(dialogues=None, row_tokens=256, rows_per_step=4)
    parser.add_argument("--threads", type=int, default=0, help="Threads of each arm; 0: as many as there are cores.")
    parser.add_argument("--rows", type=int, nargs="*", help="Lengths of rows for the exponent.")
    args = options.parse(parser, SIZES)
    if reason := train_mix.missing(args):
        print(reason)
        return
    measurements = Measurements(args.work / "measurements.jsonl", idle=args.idle)
    setting: Setting = {"dialogues": args.dialogues, "row_tokens": args.row_tokens, "model": args.model.name}
    parts = slices(args, args.repeats, args.row_tokens)
    for repeat, arm in turns(args.arms, args.repeats):
        measurements.take(
            arm, setting, repeat, lambda arm=arm, repeat=repeat: measure(arm, parts[repeat], args, args.row_tokens)
        )
    for row in args.rows:
        (part,) = slices(args, 1, row)
        for repeat in range(args.repeats):
            of_row: Setting = {**setting, "row_tokens": row}
            arm = f"medctx-{row}"
            measurements.take(arm, of_row, repeat, lambda arm=arm, part=part, row=row: measure(arm, part, args, row))
    rows = results.rows_of(measurements, "useful_per_second", ("trl-padded", "trl-packed"), differ)
    compared = [row for row in rows if row["arm"] in ARMS]
    note = (
        "Useful tokens per second of training steps; the ratio is of each repetition's pair, median with the least "
        "and the largest.\n\n"
    )
    sections = [("Throughput", note + results.table(compared, "useful_per_second"))]
    record: results.Row = {"rows": rows}
    if len(args.rows) > 1:
        text, record["growth"] = growth(measurements, args.rows, args.results)
        sections.append(("Growth with the length of a row", text))
    title = f"LoRA training of {args.model.name} through medctx and through TRL"
    results.write(args.results, "training", title, sections, record, machine(ROOT), measurements)
    print(results.table(compared, "useful_per_second"))


if __name__ == "__main__":
    main()
