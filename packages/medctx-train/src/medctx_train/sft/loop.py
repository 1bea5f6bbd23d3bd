"""The optimizer steps of a run: what each trains on, at which rate, and what it costs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.schemas.sft import StepLog
from medctx_train.config import SftConfig
from medctx_train.data.batches import portions
from medctx_train.data.packing import Row, fill, tensors
from medctx_train.distributed import launch
from medctx_train.model.loss import row_losses, token_weight, total_weight
from medctx_train.sft.flops import Meter
from medctx_train.sft.resources import peak_memory

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
    """The rows of each optimizer step, in order, epoch after epoch; the same for any number of processes."""
    once = [rows[begin : begin + rows_per_step] for begin in range(0, len(rows), rows_per_step)]
    return once * epochs


def loss_tokens(rows: Sequence[Row]) -> int:
    """Tokens of the rows that carry loss."""
    return sum(member.loss_tokens for row in rows for member in row.members)


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    """Tokens that carry loss per source, sources sorted."""
    counts: dict[str, int] = {}
    for member in (member for row in rows for member in row.members if member.loss_tokens):
        counts[member.source] = counts.get(member.source, 0) + member.loss_tokens
    return dict(sorted(counts.items()))


def _sync(accelerator: Accelerator, model: torch.nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Exchange gradients in the last pass of a step alone where every process holds all of them.

    Sharded gradients (FSDP) are exchanged in every pass: kept whole until the last, they would not be sharded.
    """
    # What DeepSpeed takes for the end of an accumulation; the others do not read it.
    accelerator.sync_gradients = last
    if last or not launch.replicated(accelerator):
        return nullcontext()
    context: AbstractContextManager[None] = accelerator.no_sync(model)
    return context


def _backward(
    config: SftConfig, accelerator: Accelerator, model: torch.nn.Module, rows: Sequence[Row], seed: int
) -> tuple[float, dict[str, float]]:
    """Gradients of one step; every loss token (or sample) weighs the same, whichever row and process it stands in.

    The plan of a step is known to every process, and with it the step's weight: no process asks the others.
    Frameworks average gradients over processes, so each process's share of the sum is multiplied by their number.
    Returns the mean loss in nats per loss token of all processes, over all sources and per source.
    """
    import torch

    counts = _counts(rows)
    scale = accelerator.num_processes / total_weight(rows, config.loss_weighting)
    places = {source: place for place, source in enumerate(counts)}
    sums = torch.zeros(len(counts), dtype=torch.float64, device=accelerator.device)
    mine = portions(rows, accelerator.process_index, accelerator.num_processes)
    for number, portion in enumerate(mine):
        # Dropout draws from the step and the row's place in it, not from how the run came here nor from which process
        # the row fell to: resuming and the number of processes change nothing.
        torch.manual_seed(seed + portion.place)
        carrying = [member for member in portion.row.members for _ in range(member.loss_tokens)]
        factors = [0.0 if portion.empty else token_weight(member, config.loss_weighting) * scale for member in carrying]
        with _sync(accelerator, model, last=number == len(mine) - 1):
            with accelerator.autocast():
                losses = row_losses(model, tensors(portion.row).to(accelerator.device))
            accelerator.backward((losses * torch.tensor(factors, device=losses.device)).sum())
        if not portion.empty:
            sources = torch.tensor([places[member.source] for member in carrying], device=sums.device)
            sums.index_add_(0, sources, losses.detach().double())
    sums = accelerator.reduce(sums, "sum")
    found = dict(zip(counts, sums.tolist(), strict=True))
    mean = math.fsum(found.values()) / sum(counts.values())
    return mean, {source: found[source] / counts[source] for source in counts}


def optimize(
    config: SftConfig,
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    plan: Sequence[Sequence[Row]],
    done: int,
    meter: Meter,
) -> Iterator[StepLog]:
    """Do the steps of ``plan`` after the first ``done``, yielding after each; a loss that is no number is an error."""
    tokens = sum(row.tokens for batch in plan[:done] for row in batch)
    widest = max(map(len, plan))
    for step in range(done, len(plan)):
        begun = time.monotonic()
        rate = learning_rate(config, step, len(plan))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, by_source = _backward(config, accelerator, model, plan[step], (config.seed * 1_000_003 + step) * widest)
        if not math.isfinite(loss):
            raise MedctxError(f"The loss is {loss} at step {step}; lower learning_rate (now {config.learning_rate:g}).")
        norm = accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        took = time.monotonic() - begun
        seen = sum(row.tokens for row in plan[step])
        tokens += seen
        yield StepLog(
            step=step,
            loss=loss,
            by_source=by_source,
            learning_rate=rate,
            tokens=tokens,
            tokens_per_second=seen / took,
            fill=fill(plan[step], config.row_tokens),
            grad_norm=math.nan if norm is None else float(norm),
            peak_memory=peak_memory(),
            mfu=meter.share(plan[step], took),
        )
