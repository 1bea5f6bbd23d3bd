"""The optimizer steps of a run: what each trains on, at which rate, and what it costs."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx_train.config import SftConfig
from medctx_train.loss import row_losses
from medctx_train.manifest import StepLog
from medctx_train.pack import Row, tensors

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


def learning_rate(config: SftConfig, step: int, steps: int) -> float:
    """Rate of step ``step`` (from 0) of ``steps``: linear warm-up, then linear decay that reaches 0 after the last."""
    warm = max(1, round(config.warmup * steps))
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    return config.learning_rate * (steps - step) / (steps - warm + 1)


def batches(rows: Sequence[Row], rows_per_step: int, epochs: int) -> list[Sequence[Row]]:
    """The rows of each optimizer step, in order, epoch after epoch."""
    once = [rows[begin : begin + rows_per_step] for begin in range(0, len(rows), rows_per_step)]
    return once * epochs


def loss_tokens(rows: Sequence[Row]) -> int:
    """Tokens of the rows that carry loss."""
    return sum(member.loss_tokens for row in rows for member in row.members)


def _backward(accelerator: Accelerator, model: torch.nn.Module, rows: Sequence[Row]) -> tuple[float, dict[str, float]]:
    """Gradients of one step; every loss token weighs the same, whichever row it stands in."""
    total = loss_tokens(rows)
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        with accelerator.autocast():
            losses = row_losses(model, tensors(row).to(accelerator.device))
            accelerator.backward(losses.sum() / total)
        sources = [member.source for member in row.members for _ in range(member.loss_tokens)]
        for source, loss in zip(sources, losses.detach().tolist(), strict=True):
            sums[source] += loss
            counts[source] += 1
    return sum(sums.values()) / total, {source: sums[source] / counts[source] for source in sorted(sums)}


def optimize(
    config: SftConfig,
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    plan: Sequence[Sequence[Row]],
    done: int,
) -> Iterator[StepLog]:
    """Do the steps of ``plan`` after the first ``done``, yielding after each; a loss that is no number is an error."""
    import torch

    weights = [value for value in model.parameters() if value.requires_grad]
    tokens = sum(row.tokens for batch in plan[:done] for row in batch)
    for step in range(done, len(plan)):
        begun = time.monotonic()
        rate = learning_rate(config, step, len(plan))
        for group in optimizer.param_groups:
            group["lr"] = rate
        # Dropout draws from the step, not from how the run came here: resuming changes nothing.
        torch.manual_seed(config.seed * 1_000_003 + step)
        loss, by_source = _backward(accelerator, model, plan[step])
        if not math.isfinite(loss):
            raise MedctxError(f"The loss is {loss} at step {step}; lower learning_rate (now {config.learning_rate:g}).")
        accelerator.clip_grad_norm_(weights, config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        took = time.monotonic() - begun
        seen = sum(row.tokens for row in plan[step])
        tokens += seen
        yield StepLog(
            step=step, loss=loss, by_source=by_source, learning_rate=rate, tokens=tokens, tokens_per_second=seen / took
        )
