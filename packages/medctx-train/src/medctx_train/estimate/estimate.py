"""What a training run would do and take, said before any weights are loaded."""

from __future__ import annotations

from medctx.model.training_memory import GIB, Memory
from medctx.schemas.records import Record
from medctx_train.config import SftConfig
from medctx_train.data.dataset import load_data
from medctx_train.data.packing import fill
from medctx_train.estimate.model_stats import memory, outline
from medctx_train.estimate.throughput import speed
from medctx_train.model.base import outlined
from medctx_train.sft.loop import batches, loss_tokens


class SftPlan(Record):
    """Tokens, steps, memory and time of a run in one process.

    ``trained``: numbers that are trained; ``peak_memory``: bytes at its fullest, ``memory`` part by part, both nothing
    where the model's config names no sizes, and ``memory_assumed`` in words; ``flop`` of all steps at
    ``flop_per_second``, which rests on what ``time_assumed`` says; ``seconds`` of the steps, without loading and
    probes.
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


def _words(config: SftConfig, needed: Memory | None, *, gpu: bool) -> str:
    if needed is None:
        return "not known: the model's config does not name its sizes as most decoders do"
    kept = "layers recomputed" if config.gradient_checkpointing else "all activations kept"
    where = (
        "on the GPU"
        if gpu
        else f"of the host, with {needed.slack / GIB:.2f} GiB that its heap is taken to hold of what was freed"
    )
    return f"{needed.total / GIB:.2f} GiB {where}; one row at a time, {kept}, {config.loss_chunk:,} logits at a time"


def estimate(config: SftConfig, flops: float | None = None) -> SftPlan:
    """Encode and pack the mix, count, and foretell. ``flops``: FLOP/s to go by, nothing where they are found out."""
    import torch

    folder = outlined(config.base)
    data = load_data(config, folder)
    found = outline(config, folder)
    gpu = torch.cuda.is_available()
    needed = memory(config, found, data.rows, gpu=gpu)
    steps = batches(data.rows, config.rows_per_step, config.epochs)
    spent = config.epochs * found.work.spent(data.rows, recomputed=config.gradient_checkpointing)
    reached = speed(config, found, flops)
    return SftPlan(
        dialogues=data.dialogues,
        tokens=sum(row.tokens for row in data.rows) * config.epochs,
        loss_tokens=loss_tokens(data.rows) * config.epochs,
        rows=len(data.rows),
        fill=fill(data.rows, config.row_tokens),
        steps=len(steps),
        trained=found.trained.parameters,
        peak_memory=needed.total if needed else None,
        memory=needed,
        memory_assumed=_words(config, needed, gpu=gpu),
        flop=spent,
        flop_per_second=reached.flop_per_second,
        seconds=spent / reached.flop_per_second,
        time_assumed=reached.assumed,
    )
