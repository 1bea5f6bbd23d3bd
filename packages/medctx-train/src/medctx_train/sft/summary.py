"""The manifest of a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medctx.model.identity import model_digest
from medctx.schemas.sft import BaseCard, SftManifest, StepLog
from medctx_train.checkpoints.export import package_versions
from medctx_train.config import SftConfig
from medctx_train.data.batches import count_loss_tokens
from medctx_train.data.dataset import TrainingData
from medctx_train.data.packing import PackedRow, fill_rate
from medctx_train.sft.flops import ModelFlops


def step_seconds(log: Sequence[StepLog]) -> list[float]:
    """Return the seconds of each step, from its tokens and its throughput."""
    tokens_before = [0, *(entry.tokens for entry in log[:-1])]
    return [(entry.tokens - before) / entry.tokens_per_second for entry, before in zip(log, tokens_before, strict=True)]


def summarise(
    config: SftConfig,
    name: str,
    base: BaseCard,
    data: TrainingData,
    batches: Sequence[Sequence[PackedRow]],
    log: Sequence[StepLog],
    *,
    packed: bool,
    packing_gap: float,
    flops: ModelFlops,
    processes: int,
    weights: Path,
) -> SftManifest:
    """Return the manifest of a run.

    Args:
        config: The config of the run.
        name: The name of the run.
        base: The card of its base.
        data: Its data.
        batches: The rows of every planned step.
        log: The steps that were done; fewer than planned if the run was stopped early.
        packed: Whether the samples of a row shared a forward pass.
        packing_gap: Result of the packing self-test.
        flops: What a token costs in the model.
        processes: Number of processes.
        weights: The folder of the trained weights.
    """
    done = batches[: len(log)]
    seconds = sum(step_seconds(log))
    executed = sum(flops.executed(rows, recomputed=config.gradient_checkpointing) for rows in done)
    return SftManifest(
        name=name,
        method=config.method,
        weights=weights.name,
        weights_digest=model_digest(weights),
        base=base,
        mix_digest=data.digest,
        replay_digest=data.replay_digest,
        seed=config.seed,
        dialogues=data.dialogues,
        sources=data.sources,
        replay_share=data.replay_share,
        tokens=log[-1].tokens,
        loss_tokens=sum(map(count_loss_tokens, done)),
        steps=len(log),
        planned_steps=len(batches),
        processes=processes,
        fill=fill_rate(data.rows, config.row_tokens),
        packed=packed,
        packing_gap=packing_gap,
        first_loss=log[0].loss,
        last_loss=log[-1].loss,
        seconds=seconds,
        tokens_per_second=log[-1].tokens / seconds,
        flop_per_second=executed / seconds,
        peak_memory=max(entry.peak_memory for entry in log),
        versions=package_versions(),
    )
