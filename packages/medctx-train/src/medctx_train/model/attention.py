"""Which attention a run computes, and the proof that packed samples do not see each other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, NamedTuple

from medctx.errors import MedctxError
from medctx_train.data.packing import Row, tensors
from medctx_train.model.loss import row_losses

if TYPE_CHECKING:
    import torch

Attention = Literal["auto", "sdpa", "flex", "flash"]
"""``sdpa``: PyTorch's, with a mask of row by row (1 GB at 32k tokens); ``flex``: compiled, with a mask of blocks;
``flash``: FlashAttention's kernels for rows of samples, without a mask; ``auto``: ``flash`` where its package and a GPU
are, else ``sdpa``."""

TESTED_ROWS = 3


def implementation(wanted: Attention) -> str:
    """Transformers' name of the attention to use on this machine; raises MedctxError where it cannot run."""
    import torch

    on_gpu = torch.cuda.is_available()
    flash = next((name for name, package in _FLASH.items() if find_spec(package) is not None), "")
    if wanted == "sdpa" or (wanted == "auto" and not (on_gpu and flash)):
        return "sdpa"
    if wanted == "flex":
        if not on_gpu:
            raise MedctxError(
                "attention=flex needs a GPU and there is none: PyTorch's FlexAttention computes no gradients on "
                "a CPU; set attention=sdpa."
            )
        return "flex_attention"
    if not on_gpu:
        raise MedctxError("attention=flash needs an NVIDIA GPU and there is none; set attention=auto or sdpa.")
    if not flash:
        raise MedctxError(
            "attention=flash needs the package flash-attn, which is not installed; install it or set attention=sdpa."
        )
    return flash


_FLASH = {"flash_attention_3": "flash_attn_interface", "flash_attention_2": "flash_attn"}


class Gap(NamedTuple):
    """The sample whose mean loss differs most in its row and alone, and by how many nats."""

    nats: float
    sample: str


def packing_gap(model: torch.nn.Module, row: Row) -> Gap:
    """Largest difference between a member's mean loss inside the row and alone.

    Rounding gives thousandths; attention leaking across members gives tenths and more.
    """
    import torch

    device = next(model.parameters()).device
    worst = Gap(0.0, "")
    with torch.no_grad():
        packed = row_losses(model, tensors(row).to(device))
        begin = 0
        for member in row.members:
            if not member.loss_tokens:
                continue
            alone = row_losses(model, tensors(Row((member,))).to(device))
            inside = packed[begin : begin + len(alone)]
            worst = max(worst, Gap(abs(float(alone.mean() - inside.mean())), member.id))
            begin += len(alone)
    return worst


def spread_rows(rows: Sequence[Row], amount: int = TESTED_ROWS) -> list[Row]:
    """Rows to test: that with the most members, and others with several spread over the data."""
    several = [row for row in rows if len(row.members) > 1]
    if not several:
        return []
    fullest = max(several, key=lambda row: len(row.members))
    others = [row for row in several if row is not fullest]
    step = max(1, len(others) // max(1, amount - 1))
    return [fullest, *others[::step][: amount - 1]]


def self_test(model: torch.nn.Module, rows: Sequence[Row], limit: float) -> float:
    """Packed against unpacked loss of real samples in several rows; stops the run on a leak.

    Returns the largest gap in nats, 0 where no row has several members.
    """
    model.eval()
    worst = max((packing_gap(model, row) for row in spread_rows(rows)), default=Gap(0.0, ""))
    if worst.nats > limit:
        raise MedctxError(
            f"Packed samples see each other: the loss of sample {worst.sample!r} differs by {worst.nats:.3f} nats "
            f"inside its row (limit {limit:g}); this model's attention ignores packing boundaries: choose another base "
            "or attention, or raise max_packing_gap."
        )
    return worst.nats
