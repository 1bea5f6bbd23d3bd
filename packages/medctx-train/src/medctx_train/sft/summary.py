"""The manifest of a finished run, from what it read, did and wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medctx.io import digest
from medctx.schemas.sft import BaseCard, SftManifest, StepLog
from medctx_train.checkpoints.versions import versions
from medctx_train.config import SftConfig
from medctx_train.data.dataset import Data
from medctx_train.data.packing import Row, fill
from medctx_train.sft.flops import Work
from medctx_train.sft.loop import loss_tokens


def seconds_of(log: Sequence[StepLog]) -> list[float]:
    """Seconds of each step, from its tokens and its rate."""
    before = [0, *(entry.tokens for entry in log[:-1])]
    return [(entry.tokens - past) / entry.tokens_per_second for entry, past in zip(log, before, strict=True)]


def summarise(
    config: SftConfig,
    name: str,
    base: BaseCard,
    data: Data,
    plan: Sequence[Sequence[Row]],
    log: Sequence[StepLog],
    *,
    gap: float,
    work: Work,
    processes: int,
    weights: Path,
) -> SftManifest:
    """The manifest of the steps in ``log``, of those in ``plan``, which left their weights in ``weights``; ``work``:
    what the model costs.
    """
    seconds = sum(seconds_of(log))
    spent = sum(work.spent(rows, recomputed=config.gradient_checkpointing) for rows in plan[: len(log)])
    return SftManifest(
        name=name,
        method=config.method,
        weights=weights.name,
        weights_digest=digest.of_weights(weights),
        base=base,
        mix_digest=data.digest,
        replay_digest=data.replay_digest,
        seed=config.seed,
        dialogues=data.dialogues,
        sources=data.sources,
        replay_share=data.replay_share,
        tokens=log[-1].tokens,
        loss_tokens=sum(map(loss_tokens, plan[: len(log)])),
        steps=len(log),
        planned_steps=len(plan),
        processes=processes,
        fill=fill(data.rows, config.row_tokens),
        packing_gap=gap,
        first_loss=log[0].loss,
        last_loss=log[-1].loss,
        seconds=seconds,
        tokens_per_second=log[-1].tokens / seconds,
        flop_per_second=spent / seconds,
        peak_memory=max(entry.peak_memory for entry in log),
        versions=versions(),
    )
