"""Where the time of a LoRA step goes on a processor, and what each way to make it faster gives.

    python -m bench.engines.lora_step --model FOLDER [--tokens 256] [--rounds 6] [--profile] [--json FILE]

Every arm takes the same steps (one packed row, half of its tokens with loss) on the same model, in one process with one
thread; the arms take turns in an order that rotates. Printed is the processor's time per step, the median of the
rounds, and its ratio to the arm ``by modules``: PEFT's layers and PyTorch's attention, as on other machines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from medctx.io.jsonl import write_text
from medctx_train.config import SftConfig
from medctx_train.data.packing import PackedRow
from medctx_train.data.tokenize import EncodedSample
from medctx_train.distributed import launch
from medctx_train.model.precision import uses_bf16_autocast
from medctx_train.sft import setup
from medctx_train.sft.flops import UtilisationMeter
from medctx_train.sft.loop import optimize
from medctx_train.sft.setup import set_up_model, trainable_parameters


def made_row(tokens: int, seed: int) -> PackedRow:
    """A full row of four samples, half of whose tokens carry loss."""
    generator = torch.Generator().manual_seed(seed)
    size = tokens // 4
    members = []
    for number in range(4):
        ids = torch.randint(100, 40_000, (size,), generator=generator).tolist()
        members.append(
            EncodedSample(f"{seed}-{number}", "made", tuple(ids), tuple(n >= size // 2 for n in range(size)))
        )
    return PackedRow(tuple(members))


class Arm:
    """One way to train: a model of its own and its steps."""

    def __init__(self, model: Path, mix: Path, tokens: int, *, by_modules: bool = False, fused: bool = False) -> None:
        self.config = SftConfig(base=str(model), mix=mix, row_tokens=tokens, rows_per_step=1)
        accelerator = launch.join_launch(
            bf16=uses_bf16_autocast(self.config.autocast), max_grad_norm=self.config.max_grad_norm
        )
        rows = [made_row(tokens, 0)]
        applies = setup._bf16_lora_on_cpu
        if by_modules:
            setup._bf16_lora_on_cpu = lambda *_: False
        module, self.packed, _ = set_up_model(self.config, model, rows, accelerator, seed=0)
        setup._bf16_lora_on_cpu = applies
        optimizer = torch.optim.AdamW(list(trainable_parameters(module).values()), lr=1e-3, fused=fused)
        self._meter = UtilisationMeter.of(accelerator, module)
        self._model, self._optimizer = accelerator.prepare(module, optimizer)
        self._accelerator, self._tokens = accelerator, tokens
        self.losses: list[float] = []

    def step(self) -> float:
        """Take one step; returns the processor's seconds."""
        batches = [[made_row(self._tokens, len(self.losses))]]
        begun = time.process_time()
        (entry,) = optimize(
            self.config,
            self._accelerator,
            self._model,
            self._optimizer,
            batches,
            done=0,
            packed=self.packed,
            row_tokens=self._tokens,
            seed=0,
            meter=self._meter,
        )
        self.losses.append(entry.loss)
        return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    mix = args.model
    arms = {"fused layers": Arm(args.model, mix, args.tokens)}
    if args.profile:
        arm = arms["fused layers"]
        arm.step()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
            arm.step()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=28, max_name_column_width=48))
        return
    arms["by modules"] = Arm(args.model, mix, args.tokens, by_modules=True)
    arms["fused layers, fused AdamW"] = Arm(args.model, mix, args.tokens, fused=True)
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for arm in arms.values():
        arm.step()
    for number in range(args.rounds):
        names = list(arms)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seconds[name].append(arms[name].step())
    before = statistics.median(seconds["by modules"])
    for name, several in seconds.items():
        middle = statistics.median(several)
        rate, loss = args.tokens / middle, arms[name].losses[-1]
        print(f"{name:24} {middle:8.3f} s {rate:8.0f} tokens/s {before / middle:6.2f}  loss {loss:.6f}", flush=True)
    if args.json:
        write_text(args.json, json.dumps(seconds) + "\n")


if __name__ == "__main__":
    main()
