"""Useful tokens per second of LoRA training on MedQuAD and Alpaca, 1:1 by tokens: packed against padded.

    python bench/train_throughput.py --data FOLDER --model FOLDER [--dialogues 64] [--slices 8] [--minutes 8]

Every arm trains the same Dialogues from the same model (bfloat16, or float32 throughout where the processor knows no
half precision; LoRA r=16 on all linear layers, float32 adapters, AdamW, loss on answers), each in a process of its own;
the arms take turns, slice by slice, in an order that rotates, so that what else the machine does falls on all of them.
After `--minutes` no further round is begun. A useful token is one of a Dialogue, padding is none. Rates are told by the
clock and by the processor's time; with `--threads 1` the second does not hang on what else the machine does (threads
that wait for each other on a busy machine spend time as well).

- medctx: as `medctx-train sft` trains.
- padded: TRL's SFTTrainer with its collator, 8 Dialogues a batch as its default is; gradient checkpointing, which TRL
  switches on, is switched off, because medctx has it off.
- grouped: the same, Dialogues of like length in a batch.
- trl-packed: the same with TRL's packing (best fit), one row at a time.
- default: padded with every default of TRL, gradient checkpointing too.

Printed: tokens/s by both (all slices), the ratio to `padded` by the processor's time (geometric mean over the slices,
and their range), share of computed positions that hold a token, peak resident memory while training, and the loss of
the last slice.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import train_mix
import yaml

ARMS = ("medctx", "padded", "grouped", "trl-packed", "default")
BATCH = 8


class Slice(TypedDict):
    """What one arm did in one slice."""

    seconds: float
    cpu_seconds: float
    useful: int
    positions: int
    loss: float
    peak_mib: float


def say(record: object) -> None:
    print(json.dumps(record), flush=True)


def peak_mib() -> float:
    """Largest resident memory since ``forget_peak``."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


class Turns:
    """Cuts a stream of steps into slices and waits before each for the word to go on."""

    def __init__(self, steps: int, slices: int) -> None:
        self._ends = [math.ceil(steps * number / slices) for number in range(1, slices + 1)]
        self._done = self._useful = self._positions = 0
        self._losses: list[float] = []
        say({"ready": steps})
        self._wait()

    def _wait(self) -> None:
        if not sys.stdin.readline():
            raise SystemExit("nobody waits for this arm any more")
        self._begun, self._cpu = time.monotonic(), time.process_time()

    def step(self, useful: int, positions: int, loss: float) -> None:
        """A step was done: its useful tokens, the positions computed for them, its loss."""
        self._done += 1
        self._useful += useful
        self._positions += positions
        self._losses.append(loss)
        if self._done == self._ends[0]:
            seconds = time.monotonic() - self._begun
            say(
                Slice(
                    seconds=seconds,
                    cpu_seconds=time.process_time() - self._cpu,
                    useful=self._useful,
                    positions=self._positions,
                    loss=statistics.mean(self._losses),
                    peak_mib=peak_mib(),
                )
            )
            self._useful = self._positions = 0
            self._losses = []
            del self._ends[0]
            if self._ends:
                self._wait()


def train_medctx(config: Path, slices: int) -> None:
    """The steps of ``medctx-train sft``, without its journal and checkpoints."""
    import torch

    from medctx.config import loading as configs
    from medctx.model.base import prepare_base
    from medctx_train.config import SftConfig
    from medctx_train.data.batches import step_batches
    from medctx_train.data.dataset import load_data
    from medctx_train.distributed import launch
    from medctx_train.model.precision import uses_bf16_autocast
    from medctx_train.sft.flops import UtilisationMeter
    from medctx_train.sft.loop import optimize
    from medctx_train.sft.setup import set_up_model, trainable_parameters

    settings = configs.load(SftConfig, config)
    accelerator = launch.join_launch(bf16=uses_bf16_autocast(settings.autocast), max_grad_norm=settings.max_grad_norm)
    folder, _ = prepare_base(settings.base)
    data = load_data(settings, folder, settings.seed)
    plan = step_batches(data.rows, settings.rows_per_step, settings.epochs)
    model, _ = set_up_model(settings, folder, data.rows, accelerator, seed=settings.seed)
    optimizer = torch.optim.AdamW(list(trainable_parameters(model).values()), lr=settings.learning_rate)
    meter = UtilisationMeter.of(accelerator, model)
    model, optimizer = accelerator.prepare(model, optimizer)
    forget_peak()
    turns = Turns(len(plan), slices)
    steps = optimize(
        settings,
        accelerator,
        model,
        optimizer,
        plan,
        done=0,
        row_tokens=settings.row_tokens,
        seed=settings.seed,
        meter=meter,
    )
    for batch, entry in zip(plan, steps, strict=True):
        tokens = sum(row.tokens for row in batch)
        turns.step(tokens, tokens, entry.loss)


def train_trl(arm: str, config: Path, dialogues: Path, slices: int) -> None:
    """TRL's SFTTrainer on the same Dialogues."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from medctx.process import cpu as processor

    half = not processor.bfloat16_is_slow()
    settings = yaml.safe_load(config.read_text())
    rows = [json.loads(line)["turns"] for line in dialogues.read_text().splitlines()]
    data = Dataset.from_list([{"prompt": turns[:-1], "completion": turns[-1:]} for turns in rows])
    model = AutoModelForCausalLM.from_pretrained(
        settings["base"], dtype=torch.bfloat16 if half else torch.float32, attn_implementation="sdpa"
    )
    packed = arm == "trl-packed"
    options = {
        "padded": {"gradient_checkpointing": False},
        "grouped": {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"},
        "trl-packed": {
            "gradient_checkpointing": False,
            "packing": True,
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": settings["rows_per_step"],
        },
        "default": {},
    }[arm]
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model,
            train_dataset=data,
            processing_class=AutoTokenizer.from_pretrained(settings["base"]),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
            args=SFTConfig(
                output_dir=scratch,
                max_length=settings["row_tokens"],
                learning_rate=settings["learning_rate"],
                num_train_epochs=1,
                bf16=half,
                use_cpu=True,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                dataloader_pin_memory=False,
                **options,
            ),
        )
        # What goes into the model, counted where it goes in.
        counts = [0, 0, 0.0]
        inner = trainer.compute_loss

        def counted(model: object, inputs: dict[str, torch.Tensor], *more: object, **named: object) -> object:
            ids = inputs["input_ids"]
            counts[0] += int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else ids.numel()
            counts[1] += ids.numel()
            result = inner(model, inputs, *more, **named)
            counts[2] = float(result[0] if isinstance(result, tuple) else result)
            return result

        trainer.compute_loss = counted
        steps = math.ceil(len(trainer.get_train_dataloader()) / (settings["rows_per_step"] if packed else 1))

        class Slices(TrainerCallback):
            turns: Turns

            def on_train_begin(self, *_: object, **__: object) -> None:
                forget_peak()
                self.turns = Turns(steps, slices)

            def on_step_end(self, *_: object, **__: object) -> None:
                self.turns.step(int(counts[0]), int(counts[1]), counts[2])
                counts[0] = counts[1] = 0

        trainer.add_callback(Slices())
        trainer.train()


def workers(
    arms: list[str], arguments: list[str], logs: Path, threads: dict[str, str]
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """One process per arm, loaded one after the other and waiting for its first turn."""
    for arm in arms:
        with (logs / f"{arm}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, __file__, "--arm", arm, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "MEDCTX_TRACKING": "off", "HF_HUB_OFFLINE": "1", **threads},
            )
        answer(process, logs / f"{arm}.log")
        yield arm, process


def answer(process: subprocess.Popen[str], log: Path) -> dict[str, float]:
    """The next line of an arm that is a record; what else it prints is passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            result: dict[str, float] = json.loads(line)
            return result
    raise SystemExit(f"an arm ended early:\n{log.read_text()[-2000:]}")


def run(args: argparse.Namespace, work: Path) -> dict[str, list[dict[str, float]]]:
    """All arms, slice by slice in turns."""
    config, dialogues = train_mix.prepare(args, work)
    arms = [arm for arm in args.arms if arm == "medctx" or find_spec("trl")]
    arguments = ["--slices", str(args.slices), "--config", str(config), "--dialogues-file", str(dialogues)]
    processes = dict(workers(arms, arguments, work, {"OMP_NUM_THREADS": str(args.threads)} if args.threads else {}))
    slices: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    begun = time.monotonic()
    for number in range(args.slices):
        if time.monotonic() - begun > 60 * args.minutes:
            break
        turn = number % len(arms)
        for arm in arms[turn:] + arms[:turn]:
            process = processes[arm]
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            slices[arm].append(answer(process, work / f"{arm}.log"))
            print(f"slice {number + 1} {arm}: {slices[arm][-1]}", file=sys.stderr, flush=True)
    for process in processes.values():
        # An arm that is not asked for its next slice ends.
        process.communicate()
    return slices


def show(slices: dict[str, list[dict[str, float]]]) -> None:
    """The table."""
    rates = {
        arm: [slice_result["useful"] / slice_result["cpu_seconds"] for slice_result in runs]
        for arm, runs in slices.items()
    }
    print(
        f"{'arm':>11} {'tokens/s':>9} {'by CPU':>7} {'ratio to padded':>24} {'fill':>6} {'peak MiB':>9} {'loss':>6} "
        f"{'useful':>8}"
    )
    for arm, runs in slices.items():
        useful, seconds = (
            sum(slice_result["useful"] for slice_result in runs),
            sum(slice_result["seconds"] for slice_result in runs),
        )
        against = ""
        if "padded" in rates:
            ratios = [mine / theirs for mine, theirs in zip(rates[arm], rates["padded"], strict=True)]
            against = f"{statistics.geometric_mean(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
        by_cpu = useful / sum(slice_result["cpu_seconds"] for slice_result in runs)
        filled = useful / sum(slice_result["positions"] for slice_result in runs)
        print(
            f"{arm:>11} {useful / seconds:9.1f} {by_cpu:7.1f} {against:>24} {filled:6.3f} "
            f"{max(slice_result['peak_mib'] for slice_result in runs):9.0f} {runs[-1]['loss']:6.3f} {useful:8,}"
        )


def main() -> None:
    """Run the arms and print the table; with ``--arm`` be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    train_mix.add_options(parser)
    parser.set_defaults(dialogues=64, row_tokens=256, rows_per_step=4)
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0, help="Threads of each arm; 0: as many as there are cores.")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    for hidden in ("--arm", "--config", "--dialogues-file"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm == "medctx":
        train_medctx(Path(args.config), args.slices)
    elif args.arm:
        train_trl(args.arm, Path(args.config), Path(args.dialogues_file), args.slices)
    else:
        if train_mix.missing(args):
            print(train_mix.missing(args))
            return
        if not find_spec("trl"):
            print("TRL is not installed (pip install --group bench): medctx alone, against nothing")
        results = []
        for package in ("torch", "transformers", "peft", "trl"):
            try:
                results.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                continue
        begun = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as scratch:
            slices = run(args, Path(scratch))
        show(slices)
        print(
            f"n = {len(next(iter(slices.values())))} slices of {args.dialogues / args.slices:.0f} Dialogues, "
            f"rows of {args.row_tokens}, {args.threads or os.cpu_count()} threads, load {begun:.1f} at the start and "
            f"{os.getloadavg()[0]:.1f} at the end; {', '.join(results)}"
        )


if __name__ == "__main__":
    main()
