"""The optimizer steps of a run."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.schemas.sft import StepLog
from medctx_train.config import OptimizationSettings
from medctx_train.data.batches import AssignedRow, assign_rows, unpack_rows
from medctx_train.data.packing import PackedRow, fill_rate, row_tensors
from medctx_train.data.tokenize import EncodedSample
from medctx_train.distributed import launch
from medctx_train.model.config import Weighting
from medctx_train.model.loss import row_losses, token_weight, total_weight
from medctx_train.sft.flops import UtilisationMeter
from medctx_train.sft.row_threads import RowThreads, draws_random_numbers, rows_at_a_time

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

_SEED_STRIDE = 1_000_003
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


def peak_memory() -> int:
    """Return the largest memory used so far in bytes: of the GPU if there is one, otherwise of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES


def learning_rate(peak: float, warmup: float, step: int, steps: int) -> float:
    """Return the learning rate of one step: linear warm-up, then linear decay that reaches 0 after the last step.

    Args:
        peak: Peak learning rate.
        warmup: Fraction of the steps that warm up; at least one step does.
        step: The step, from 0.
        steps: Number of steps.
    """
    warm = max(1, round(warmup * steps))
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (steps - step) / (steps - warm + 1)


def _loss_tokens_by_source(rows: Sequence[PackedRow]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for member in (member for row in rows for member in row.members if member.loss_tokens):
        counts[member.source] = counts.get(member.source, 0) + member.loss_tokens
    return dict(sorted(counts.items()))


def _member_of_token(assigned: AssignedRow) -> list[EncodedSample]:
    """Return the sample of every loss token of a row."""
    return [member for member in assigned.row.members for _ in range(member.loss_tokens)]


def _row_threads(
    accelerator: Accelerator, model: torch.nn.Module, passes: Sequence[Sequence[PackedRow]]
) -> RowThreads | None:
    """Return the threads in which the rows of a step are computed; None if they are computed one after another."""
    parameters = list(model.parameters())
    rows = rows_at_a_time(
        max(map(len, passes)),
        max(row.tokens for batch in passes for row in batch),
        adapters=not all(parameter.requires_grad for parameter in parameters),
        gpu=accelerator.device.type != "cpu",
    )
    if rows == 1 or accelerator.num_processes > 1:
        return None
    with accelerator.autocast():
        if draws_random_numbers(lambda: row_losses(model, row_tensors(passes[0][0]))):
            return None
    return RowThreads(rows, [parameter for parameter in parameters if parameter.requires_grad])


def _gradient_sync(accelerator: Accelerator, model: torch.nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Exchange gradients only in the last pass of a step if every process holds all of them.

    Sharded gradients (FSDP) are exchanged in every pass; otherwise each process would hold them whole until the last.
    """
    # DeepSpeed reads this as the end of an accumulation; the other strategies ignore it.
    accelerator.sync_gradients = last
    if last or not launch.is_replicated(accelerator):
        return nullcontext()
    context: AbstractContextManager[None] = accelerator.no_sync(model)
    return context


def _backward(
    accelerator: Accelerator,
    model: torch.nn.Module,
    rows: Sequence[PackedRow],
    weighting: Weighting,
    seed: int,
    threads: RowThreads | None,
) -> tuple[float, dict[str, float]]:
    """Compute the gradients of one step.

    Every loss token (or sample) has the same weight, whichever row and process it is in. All processes know the rows of
    the step and so its total weight, without communication. Frameworks average gradients over processes, so each
    process's part of the sum is multiplied by their number.

    Returns:
        The mean loss of all processes in nats per loss token, over all sources and per source.
    """
    import torch

    counts = _loss_tokens_by_source(rows)
    scale = accelerator.num_processes / total_weight(rows, weighting)
    index_of_source = {source: index for index, source in enumerate(counts)}
    sums = torch.zeros(len(counts), dtype=torch.float64, device=accelerator.device)
    assigned_rows = assign_rows(rows, accelerator.process_index, accelerator.num_processes)

    def weighted_losses(assigned: AssignedRow) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses of a row and their weighted sum."""
        weights = [
            0.0 if assigned.empty else token_weight(member, weighting) * scale for member in _member_of_token(assigned)
        ]
        with accelerator.autocast():
            losses = row_losses(model, row_tensors(assigned.row).to(accelerator.device))
        return losses, (losses * torch.tensor(weights, device=losses.device)).sum()

    def one_after_another() -> Iterator[torch.Tensor]:
        for number, assigned in enumerate(assigned_rows):
            # Dropout depends on the step and the row's position in it only, so neither resuming nor the number of
            # processes changes it.
            torch.manual_seed(seed + assigned.position)
            with _gradient_sync(accelerator, model, last=number == len(assigned_rows) - 1):
                losses, total = weighted_losses(assigned)
                accelerator.backward(total)
            yield losses.detach()

    all_losses = threads.accumulate(assigned_rows, weighted_losses) if threads else one_after_another()
    for assigned, losses in zip(assigned_rows, all_losses, strict=True):
        if not assigned.empty:
            indices = [index_of_source[member.source] for member in _member_of_token(assigned)]
            sums.index_add_(0, torch.tensor(indices, device=sums.device), losses.double())
    sums = accelerator.reduce(sums, "sum")
    sum_by_source = dict(zip(counts, sums.tolist(), strict=True))
    mean = math.fsum(sum_by_source.values()) / sum(counts.values())
    return mean, {source: sum_by_source[source] / counts[source] for source in counts}


def optimize(
    settings: OptimizationSettings,
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Sequence[PackedRow]],
    *,
    done: int,
    packed: bool,
    row_tokens: int,
    seed: int,
    meter: UtilisationMeter,
) -> Iterator[StepLog]:
    """Run the optimizer steps and yield after each of them.

    Args:
        settings: The optimization section of the config.
        accelerator: The launch's accelerator.
        model: The prepared model.
        optimizer: The prepared optimizer.
        batches: The rows of every step of the run.
        done: Number of steps that were done before.
        packed: True if the samples of a row share a forward pass; otherwise each has its own.
        row_tokens: Length of a row.
        seed: Seed of the run.
        meter: Computes the utilisation of each step.

    Raises:
        MedctxError: If the loss is not finite.
    """
    tokens = sum(row.tokens for batch in batches[:done] for row in batch)
    passes = [batch if packed else unpack_rows(batch) for batch in batches]
    most_passes = max(map(len, passes))
    threads = _row_threads(accelerator, model, passes)
    for step in range(done, len(batches)):
        begun = time.monotonic()
        batch = batches[step]
        rate = learning_rate(settings.learning_rate, settings.warmup, step, len(batches))
        for group in optimizer.param_groups:
            group["lr"] = rate
        step_seed = (seed * _SEED_STRIDE + step) * most_passes
        loss, by_source = _backward(accelerator, model, passes[step], settings.loss_weighting, step_seed, threads)
        if not math.isfinite(loss):
            raise MedctxError(
                f"The loss is {loss} at step {step}; lower learning_rate (now {settings.learning_rate:g})."
            )
        norm = accelerator.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.monotonic() - begun
        batch_tokens = sum(row.tokens for row in batch)
        tokens += batch_tokens
        yield StepLog(
            step=step,
            loss=loss,
            by_source=by_source,
            learning_rate=rate,
            tokens=tokens,
            tokens_per_second=batch_tokens / seconds,
            fill=fill_rate(batch, row_tokens),
            grad_norm=math.nan if norm is None else float(norm),
            peak_memory=peak_memory(),
            mfu=meter.utilisation(batch, seconds),
        )
