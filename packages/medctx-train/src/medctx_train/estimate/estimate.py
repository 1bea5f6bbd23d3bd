"""Tokens, steps, memory and time of a training run, before any weights are loaded."""

from __future__ import annotations

from medctx.model.base import config_folder
from medctx.model.training_memory import GIB, Memory
from medctx.schemas.records import Record
from medctx_train.config import SftConfig
from medctx_train.data.batches import count_loss_tokens, step_batches
from medctx_train.data.dataset import load_data
from medctx_train.data.packing import fill_rate
from medctx_train.estimate.model_stats import estimate_memory, model_stats
from medctx_train.estimate.throughput import expected_throughput
from medctx_train.sft.row_threads import rows_at_a_time

_USUAL_WIDTHS = (1024, 4096)
"""Hidden and intermediate size that are assumed if the model's config does not name them."""


class SftEstimate(Record):
    """Tokens, steps, memory and time of a run in one process.

    ``trained`` is the number of trained parameters; ``peak_memory`` in bytes with its parts in ``memory``, both None if
    the model's config does not name its sizes; ``memory_assumed`` says so in words. All steps take ``flop`` operations
    at ``flop_per_second``, which is based on what ``time_assumed`` says; ``seconds`` excludes loading and probes.
    """

    dialogues: int
    tokens: int
    loss_tokens: int
    rows: int
    fill: float
    steps: int
    trained: int
    peak_memory: int | None
    memory: Memory | None
    memory_assumed: str
    flop: float
    flop_per_second: float
    seconds: float
    time_assumed: str


def _describe_memory(memory: Memory | None, loss_chunk: int, *, at_a_time: int, recomputed: bool, gpu: bool) -> str:
    if memory is None:
        return "not known: the model's config does not name its sizes as most decoders do"
    activations = "layers recomputed" if recomputed else "all activations kept"
    where = (
        "on the GPU"
        if gpu
        else f"of the host, including {memory.slack / GIB:.2f} GiB that its heap is assumed to keep of freed memory"
    )
    rows = "one row" if at_a_time == 1 else f"{at_a_time} rows"
    details = f"{rows} at a time, {activations}, {loss_chunk:,} logits at a time"
    return f"{memory.total / GIB:.2f} GiB {where}; {details}"


def estimate_training(config: SftConfig, flop_per_second: float | None = None) -> SftEstimate:
    """Encode and pack the mix, count, and extrapolate.

    Args:
        config: The config of the run.
        flop_per_second: Throughput to assume; None for that of an earlier run, or a share of what matrix products
            reach.
    """
    import torch

    folder = config_folder(config.base)
    data = load_data(config, folder, config.seed)
    stats = model_stats(config, folder)
    gpu = torch.cuda.is_available()
    at_a_time = rows_at_a_time(
        config.rows_per_step,
        max(row.tokens for row in data.rows),
        adapters=config.method != "full",
        gpu=gpu,
    )
    memory = estimate_memory(config, stats, data.rows, gpu=gpu, at_a_time=at_a_time)
    batches = step_batches(data.rows, config.rows_per_step, config.epochs)
    flop = config.epochs * stats.flops.executed(data.rows, recomputed=config.gradient_checkpointing)
    widths = (stats.size.hidden, stats.size.intermediate) if stats.size else _USUAL_WIDTHS
    throughput = expected_throughput(config, config.row_tokens, widths, flop_per_second)
    return SftEstimate(
        dialogues=data.dialogues,
        tokens=sum(row.tokens for row in data.rows) * config.epochs,
        loss_tokens=count_loss_tokens(data.rows) * config.epochs,
        rows=len(data.rows),
        fill=fill_rate(data.rows, config.row_tokens),
        steps=len(batches),
        trained=stats.trained.parameters,
        peak_memory=memory.total if memory else None,
        memory=memory,
        memory_assumed=_describe_memory(
            memory, config.loss_chunk, at_a_time=at_a_time, recomputed=config.gradient_checkpointing, gpu=gpu
        ),
        flop=flop,
        flop_per_second=throughput.flop_per_second,
        seconds=flop / throughput.flop_per_second,
        time_assumed=throughput.assumed,
    )
