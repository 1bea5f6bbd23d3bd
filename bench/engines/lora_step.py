"""Where the time of a LoRA step goes on a processor, and what each way to make it faster gives.

    python -m bench.engines.lora_step --model FOLDER [--tokens 256] [--rounds 6] [--profile] [--json FILE]

Every arm takes the same steps (one packed row, half of its tokens with loss) on the same model, in one process with one
thread; the arms take turns in an order that rotates. Printed is the processor's time per step, the median of the
rounds, and its ratio to the arm ``as before``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from medctx.io.jsonl import write_text
from medctx_train.config import SftConfig
from medctx_train.data.packing import PackedRow
from medctx_train.data.tokenize import EncodedSample
from medctx_train.distributed import launch
from medctx_train.model.loss import causal_model
from medctx_train.model.precision import uses_bf16_autocast
from medctx_train.sft.flops import UtilisationMeter
from medctx_train.sft.loop import optimize
from medctx_train.sft.setup import set_up_model, trainable_parameters

Step = Callable[[], float]


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

    def __init__(
        self, model: Path, mix: Path, tokens: int, change: Callable[[torch.nn.Module], None], *, fused: bool = False
    ) -> None:
        self.config = SftConfig(base=str(model), mix=mix, row_tokens=tokens, rows_per_step=1)
        accelerator = launch.join_launch(
            bf16=uses_bf16_autocast(self.config.autocast), max_grad_norm=self.config.max_grad_norm
        )
        rows = [made_row(tokens, 0)]
        module, self.packed, _ = set_up_model(self.config, model, rows, accelerator, seed=0)
        change(module)
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


def _unchanged(model: torch.nn.Module) -> None:
    """As before."""


def _no_casts(model: torch.nn.Module) -> None:
    for module in model.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False


class _LoraProduct(torch.autograd.Function):
    """x W^T + s x A^T B^T in the precision of W, without intermediate sums."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        half = weight.dtype
        flat = x.reshape(-1, x.shape[-1]).to(half)
        a_half, b_half = a.to(half), (b * scaling).to(half)
        low = flat @ a_half.t()
        out = flat @ weight.t() if bias is None else torch.addmm(bias, flat, weight.t())
        out.addmm_(low, b_half.t())
        ctx.save_for_backward(flat, low, weight, a_half, b_half)
        ctx.scaling, ctx.shape, ctx.dtype = scaling, x.shape, x.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        flat, low, weight, a_half, b_half = ctx.saved_tensors
        grad = grad.reshape(-1, grad.shape[-1]).to(weight.dtype)
        low_grad = grad @ b_half
        inner = None
        if ctx.needs_input_grad[0]:
            inner = (grad @ weight).addmm_(low_grad, a_half).view(ctx.shape).to(ctx.dtype)
        return inner, None, None, (low_grad.t() @ flat).float(), ((grad.t() @ low).float() * ctx.scaling), None


def _own_product(model: torch.nn.Module) -> None:
    def forward(self: Linear, x: torch.Tensor) -> torch.Tensor:
        base, a, b = self.base_layer, self.lora_A["default"], self.lora_B["default"]
        return _LoraProduct.apply(x, base.weight, base.bias, a.weight, b.weight, self.scaling["default"])

    for module in model.modules():
        if isinstance(module, Linear):
            module.forward = MethodType(forward, module)


def _plain_attention(model: torch.nn.Module) -> None:
    def attention(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor,
        scaling: float,
        **_: object,
    ) -> tuple[torch.Tensor, None]:
        key, value = (part.repeat_interleave(module.num_key_value_groups, 1) for part in (key, value))
        scores = (query @ key.transpose(2, 3) * scaling).masked_fill(~attention_mask, float("-inf"))
        weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
        return (weights @ value).transpose(1, 2).contiguous(), None

    AttentionInterface.register("plain", attention)
    AttentionMaskInterface.register("plain", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    causal_model(model).config._attn_implementation = "plain"


def _together(model: torch.nn.Module) -> None:
    _own_product(model)
    _plain_attention(model)


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
    arms = {"as before": Arm(args.model, mix, args.tokens, _unchanged)}
    if args.profile:
        arm = arms["as before"]
        arm.step()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
            arm.step()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=28, max_name_column_width=48))
        return
    arms["no casts of inputs"] = Arm(args.model, mix, args.tokens, _no_casts)
    arms["own LoRA product"] = Arm(args.model, mix, args.tokens, _own_product)
    arms["product, plain attention"] = Arm(args.model, mix, args.tokens, _together)
    arms["fused AdamW"] = Arm(args.model, mix, args.tokens, _unchanged, fused=True)
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for arm in arms.values():
        arm.step()
    for number in range(args.rounds):
        names = list(arms)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seconds[name].append(arms[name].step())
    before = statistics.median(seconds["as before"])
    for name, several in seconds.items():
        middle = statistics.median(several)
        rate, loss = args.tokens / middle, arms[name].losses[-1]
        print(f"{name:24} {middle:8.3f} s {rate:8.0f} tokens/s {before / middle:6.2f}  loss {loss:.6f}", flush=True)
    if args.json:
        write_text(args.json, json.dumps(seconds) + "\n")


if __name__ == "__main__":
    main()
