"""The loss of a packed row: which tokens count how much, and cross entropy that never holds all logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from medctx_train.encode import Encoded
from medctx_train.pack import IGNORED, Row, Tensors

if TYPE_CHECKING:
    import torch

Weighting = Literal["token", "sample"]
"""``token``: every loss token of a step weighs the same; ``sample``: every sample does, however long its answers."""


def token_weight(member: Encoded, weighting: Weighting) -> float:
    """The weight of each loss token of a sample, before division by :func:`total_weight`."""
    return 1.0 if weighting == "token" or not member.loss_tokens else 1.0 / member.loss_tokens


def total_weight(rows: Sequence[Row], weighting: Weighting) -> float:
    """What the weighted losses of a step's rows are divided by: its loss tokens, or its samples that carry loss."""
    members = [member for row in rows for member in row.members if member.loss_tokens]
    return float(sum(member.loss_tokens for member in members) if weighting == "token" else len(members))


def row_losses(model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
    """Cross entropy in nats of every token of the row that carries loss, shape (loss tokens,).

    Logits are computed at those positions alone: for short answers after long texts that is most of the
    vocabulary's cost saved.
    """
    import torch

    kept = (batch.labels[0] != IGNORED).nonzero().squeeze(-1)
    output = model(input_ids=batch.input_ids, position_ids=batch.position_ids, logits_to_keep=kept, use_cache=False)
    return torch.nn.functional.cross_entropy(output.logits[0].float(), batch.labels[0, kept], reduction="none")
