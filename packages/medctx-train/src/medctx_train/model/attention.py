"""Which attention implementation a run uses, and the self-test that packed samples do not attend to each other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from medctx.errors import MedctxError
from medctx_train.data.packing import PackedRow, row_tensors
from medctx_train.model.config import Attention
from medctx_train.model.loss import row_losses

if TYPE_CHECKING:
    import torch

TESTED_ROWS = 3
_FLASH = {"flash_attention_3": "flash_attn_interface", "flash_attention_2": "flash_attn"}


def attention_implementation(attention: Attention) -> str:
    """Return transformers' name of the attention to use on this machine.

    Raises:
        MedctxError: If the GPU or the package that ``attention`` needs is missing.
    """
    import torch

    on_gpu = torch.cuda.is_available()
    flash = next((name for name, package in _FLASH.items() if find_spec(package) is not None), "")
    if attention == "sdpa" or (attention == "auto" and not (on_gpu and flash)):
        return "sdpa"
    if attention == "flex":
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


class PackingGap(NamedTuple):
    """The sample whose mean loss differs most between its row and alone, and by how many nats."""

    nats: float
    sample: str


def packing_gap(model: torch.nn.Module, row: PackedRow) -> PackingGap:
    """Return the largest difference between a member's mean loss inside the row and alone.

    Rounding differences are thousandths of a nat; attention across members gives tenths and more.
    """
    import torch

    device = next(model.parameters()).device
    worst = PackingGap(0.0, "")
    with torch.no_grad():
        packed = row_losses(model, row_tensors(row).to(device))
        begin = 0
        for member in row.members:
            if not member.loss_tokens:
                continue
            alone = row_losses(model, row_tensors(PackedRow((member,))).to(device))
            inside = packed[begin : begin + len(alone)]
            worst = max(worst, PackingGap(abs(float(alone.mean() - inside.mean())), member.id))
            begin += len(alone)
    return worst


def spread_rows(rows: Sequence[PackedRow], amount: int = TESTED_ROWS) -> list[PackedRow]:
    """Choose rows to test: the one with most members, and others with several members, spread over the data."""
    several = [row for row in rows if len(row.members) > 1]
    if not several:
        return []
    fullest = max(several, key=lambda row: len(row.members))
    others = [row for row in several if row is not fullest]
    step = max(1, len(others) // max(1, amount - 1))
    return [fullest, *others[::step][: amount - 1]]


def packing_self_test(model: torch.nn.Module, rows: Sequence[PackedRow], max_gap: float) -> float:
    """Compare packed and unpacked losses of real samples in several rows.

    Returns:
        The largest gap in nats; 0 if no row has several members.

    Raises:
        MedctxError: If the gap exceeds ``max_gap``.
    """
    model.eval()
    worst = max((packing_gap(model, row) for row in spread_rows(rows)), default=PackingGap(0.0, ""))
    if worst.nats > max_gap:
        raise MedctxError(
            f"Packed samples attend to each other: the loss of sample {worst.sample!r} differs by {worst.nats:.3f} "
            f"nats inside its row (limit {max_gap:g}); this model's attention ignores packing boundaries: choose "
            "another base or attention, or raise max_packing_gap."
        )
    return worst.nats
