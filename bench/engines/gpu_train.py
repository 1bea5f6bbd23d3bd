"""A 7B-class architecture with random weights, bf16 LoRA at 8k tokens on one GPU: medctx against TRL's defaults.

    python -m bench.engines.gpu_train                     # one GPU, 80 GB; about 5 minutes
    python -m bench.engines.gpu_train --toy               # the same path at toy size, on a CPU too

The model has the published shape of Qwen2.5-7B (28 layers, width 3,584, 28 heads, 4 of keys, MLP 18,944, vocabulary
152,064), made in the GPU's memory: nothing is fetched. Needs torch, transformers, peft, accelerate, medctx-train and
medctx-data, and for the comparison trl; where there is no network bring the wheels of what lacks:

    pip download -d wheels trl peft accelerate datasets ... ; pip install --no-index --find-links wheels trl peft ...

Arms, each in a process of its own, taking turns: `medctx` as `medctx-train sft` trains with gradient checkpointing;
`trl` is SFTTrainer with its defaults but for one sequence a batch (its 8 need 8 x 8,192 x 152,064 logits). Every step
is one sequence of exactly 8,192 tokens with loss on all of them, so that neither packing nor padding plays a part.
Printed: tokens/s by the median step, its spread, model FLOPs utilisation (both arms by `medctx_train.sft.flops`,
recomputation not counted), and the most memory that torch allocated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ARMS = ("medctx", "trl")
QWEN_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
}
TOY = {
    **QWEN_7B,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
}


def build(toy: bool) -> PreTrainedModel:
    """The model with random weights in bfloat16, where it is trained."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = Qwen2ForCausalLM(Qwen2Config(**(TOY if toy else QWEN_7B)))
    torch.set_default_dtype(torch.float32)
    return model


def sequences(steps: int, tokens: int, vocabulary: int) -> list[list[int]]:
    """Random token ids, the same for every arm."""
    import torch

    random = torch.Generator().manual_seed(1)
    return torch.randint(1, vocabulary, (steps, tokens), generator=random).tolist()


def peak_bytes() -> int:
    """The most memory that torch allocated on the GPU; nothing on a CPU."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def settle() -> float:
    """The clock, once the GPU has done all it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def train_medctx(args: argparse.Namespace) -> dict[str, object]:
    """Seconds of each step, put together as ``medctx-train sft`` does."""
    import torch

    from medctx_train.config import SftConfig
    from medctx_train.data.batches import step_batches
    from medctx_train.data.packing import PackedRow
    from medctx_train.data.tokenize import EncodedSample
    from medctx_train.distributed import launch
    from medctx_train.model.liger import apply_liger
    from medctx_train.model.loss import chunk_losses
    from medctx_train.model.precision import uses_bf16_autocast
    from medctx_train.sft.flops import UtilisationMeter, peak_flops
    from medctx_train.sft.loop import optimize
    from medctx_train.sft.setup import add_trained_weights, trainable_parameters

    config = SftConfig(row_tokens=args.tokens, rows_per_step=1, learning_rate=2e-5, gradient_checkpointing=True)
    accelerator = launch.join_launch(bf16=uses_bf16_autocast(config.autocast), max_grad_norm=config.max_grad_norm)
    model = build(args.toy)
    apply_liger(model, config.liger)
    chunk_losses(model, config.loss_chunk)
    student = add_trained_weights(config, model, config.seed)
    ids = sequences(args.steps, args.tokens, model.config.vocab_size)
    rows = [
        PackedRow((EncodedSample(str(n), "random", tuple(identifier), (True,) * len(identifier)),))
        for n, identifier in enumerate(ids)
    ]
    plan = step_batches(rows, 1, 1)
    optimizer = torch.optim.AdamW(list(trainable_parameters(student).values()), lr=config.learning_rate)
    meter = UtilisationMeter.of(accelerator, student)
    student, optimizer = accelerator.prepare(student, optimizer)
    seconds, loss, begun = [], 0.0, settle()
    steps = optimize(
        config,
        accelerator,
        student,
        optimizer,
        plan,
        done=0,
        packed=True,
        row_tokens=args.tokens,
        seed=config.seed,
        meter=meter,
    )
    for entry in steps:
        now = settle()
        seconds.append(now - begun)
        begun, loss = now, entry.loss
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {
        "seconds": seconds,
        "peak": peak_bytes(),
        "loss": loss,
        "flops": meter.flops.required(rows[:1]),
        "limit": peak_flops(name),
        "device": name,
    }


def train_trl(args: argparse.Namespace) -> dict[str, object]:
    """The same sequences through SFTTrainer."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from medctx_train.model.config import LoraSettings

    class Clock(TrainerCallback):
        seconds: list[float]
        begun = 0.0

        def on_train_begin(self, *_: object, **__: object) -> None:
            self.seconds, self.begun = [], settle()

        def on_step_end(self, *_: object, **__: object) -> None:
            now = settle()
            self.seconds.append(now - self.begun)
            self.begun = now

    model = build(args.toy)
    ids = sequences(args.steps, args.tokens, model.config.vocab_size)
    like = LoraSettings()
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model,
            train_dataset=Dataset.from_list([{"input_ids": identifier} for identifier in ids]),
            processing_class=_empty_tokenizer(PreTrainedTokenizerFast),
            callbacks=[clock],
            peft_config=LoraConfig(
                r=like.rank, lora_alpha=like.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
            args=SFTConfig(
                output_dir=scratch,
                max_length=args.tokens,
                per_device_train_batch_size=1,
                num_train_epochs=1,
                bf16=True,
                use_cpu=not torch.cuda.is_available(),
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
            ),
        )
        result = trainer.train()
    return {"seconds": clock.seconds, "peak": peak_bytes(), "loss": result.training_loss}


def _empty_tokenizer(kind: type) -> object:
    """A tokenizer with the two tokens TRL asks for; the sequences are token ids already."""
    from tokenizers import Tokenizer, models

    core = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<pad>"))
    return kind(tokenizer_object=core, pad_token="<pad>", eos_token="<eos>")


def main() -> int:
    """Run the arms in turns and print the table; with ``--arm`` be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a tiny model and 256 tokens")
    parser.add_argument("--tokens", type=int, default=0)
    parser.add_argument("--steps", type=int, default=8, help="steps of a turn; the first two are not counted")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.tokens = args.tokens or (256 if args.toy else 8192)
    if args.arm:
        result = train_medctx(args) if args.arm == "medctx" else train_trl(args)
        print("RESULT " + json.dumps(result), flush=True)
        return 0
    import torch

    if not args.toy and not torch.cuda.is_available():
        print("not run: there is no GPU here (--toy runs the same path at toy size)")
        return 0
    arms = [arm for arm in args.arms if arm == "medctx" or find_spec("trl")]
    if "trl" in args.arms and "trl" not in arms:
        print("TRL is not installed (pip install --group bench): medctx alone, against nothing")
    measured: dict[str, list[dict[str, object]]] = {arm: [] for arm in arms}
    passed_on = ["--tokens", str(args.tokens), "--steps", str(args.steps), *(["--toy"] if args.toy else [])]
    for turn in range(args.turns):
        for arm in arms if turn % 2 == 0 else reversed(arms):
            done = subprocess.run(
                [sys.executable, __file__, "--arm", arm, *passed_on],
                capture_output=True,
                text=True,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "MEDCTX_TRACKING": "off"},
                check=False,
            )
            line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
            if line is None:
                # Out of memory is a result too.
                print(f"{arm} failed in turn {turn + 1}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
                continue
            measured[arm].append(json.loads(line.removeprefix("RESULT ")))
    return show(measured, args.tokens)


def show(runs_of_arm: dict[str, list[dict[str, object]]], tokens: int) -> int:
    """The table; 1 where an arm has nothing to show."""
    about = next(iter(runs_of_arm["medctx"]), {}) if "medctx" in runs_of_arm else {}
    flops, limit = about.get("flops"), about.get("limit")
    print(
        f"{'arm':>7} {'tokens/s':>9} {'fastest':>8} {'slowest':>8} {'MFU':>6} {'peak GiB':>9} {'loss':>7} {'steps':>5}"
    )
    for arm, runs in runs_of_arm.items():
        seconds = [second for run in runs for second in run["seconds"][2:]]  # type: ignore[index]
        if not seconds:
            continue
        middle = statistics.median(seconds)
        share = f"{flops / middle / limit:.3f}" if flops and limit else "-"  # type: ignore[operator]
        peak = max(run["peak"] for run in runs) / 2**30  # type: ignore[operator,type-var]
        print(
            f"{arm:>7} {tokens / middle:9.0f} {tokens / min(seconds):8.0f} {tokens / max(seconds):8.0f} {share:>6} "
            f"{peak:9.1f} {runs[-1]['loss']:7.3f} {len(seconds):5}"
        )
    print(f"{tokens} tokens a step; {about.get('device', 'unknown device')}")
    return int(not all(runs_of_arm.values()))


if __name__ == "__main__":
    sys.exit(main())
