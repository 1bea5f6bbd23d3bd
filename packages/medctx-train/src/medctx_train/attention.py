"""Which attention a run computes, and the proof that packed samples do not see each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from medctx_train.loss import row_losses
from medctx_train.pack import Row, tensors

if TYPE_CHECKING:
    import torch

Attention = Literal["auto", "sdpa", "flex", "flash"]
"""``auto``: FlashAttention where its package and a GPU are, else SDPA."""


def packing_gap(model: torch.nn.Module, row: Row) -> float:
    """Largest difference in nats between a member's mean loss inside the row and alone.

    Rounding gives thousandths; attention leaking across members gives tenths and more.
    """
    import torch

    with torch.no_grad():
        packed = row_losses(model, tensors(row))
        gap, begin = 0.0, 0
        for member in row.members:
            if not member.loss_tokens:
                continue
            alone = row_losses(model, tensors(Row((member,))))
            inside = packed[begin : begin + len(alone)]
            gap = max(gap, abs(float(alone.mean() - inside.mean())))
            begin += len(alone)
    return gap
