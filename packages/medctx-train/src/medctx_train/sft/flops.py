"""The arithmetic that a step needs, and what share of a device's peak it was done at (model FLOPs utilisation).

Counted as in appendix B of PaLM (Chowdhery et al., arXiv 2204.02311): two operations per weight and token in the
forward pass, as many for the gradient of the inputs, and as many again for the gradient of the weights, which frozen
weights do not need; attention from the pairs of tokens that see each other; the head only where there is loss.
Recomputed activations are not counted: they are no progress.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx_train.data.packing import Row

if TYPE_CHECKING:
    import torch

# Dense bfloat16 peaks in TFLOP/s from the makers' data sheets; the first name that is part of the device's counts.
_PEAKS = (
    ("H200", 989.0),
    ("H100 PCIe", 756.0),
    ("H100 NVL", 835.0),
    ("H100", 989.0),
    ("B200", 2250.0),
    ("A100", 312.0),
    ("L40S", 362.0),
    ("L40", 181.0),
    ("L4", 121.0),
    ("A40", 150.0),
    ("A10", 125.0),
    ("RTX 4090", 165.0),
    ("RTX 3090", 71.0),
    ("MI300X", 1307.0),
    ("MI250X", 383.0),
)


def peak_flops(device_name: str) -> float | None:
    """Peak of a device in FLOP/s in bfloat16, nothing where it is not known (as of processors)."""
    return next((peak * 1e12 for part, peak in _PEAKS if part in device_name), None)


def _counts(rows: Sequence[Row]) -> tuple[int, int, int]:
    """Tokens, those that carry loss, and the pairs of tokens that see each other: itself and what is before it, in one
    sample.
    """
    members = [member for row in rows for member in row.members]
    pairs = sum(len(member.ids) * (len(member.ids) + 1) // 2 for member in members)
    return sum(row.tokens for row in rows), sum(member.loss_tokens for member in members), pairs


@dataclass(frozen=True, slots=True)
class Work:
    """What a model costs: its matrix weights in the layers (``frozen`` or ``trained``) and in the ``head``.

    ``attention``: layers times heads times the size of a head.
    """

    frozen: int
    trained: int
    head: int
    head_trained: bool
    attention: int

    def of(self, rows: Sequence[Row]) -> float:
        """Operations that a step on these rows needs."""
        tokens, heads, pairs = _counts(rows)
        layers = (4.0 * self.frozen + 6.0 * self.trained) * tokens
        # Scores and their sum of values, forward and twice backward.
        return layers + (6.0 if self.head_trained else 4.0) * self.head * heads + 12.0 * self.attention * pairs

    def spent(self, rows: Sequence[Row], *, recomputed: bool) -> float:
        """Operations that are done for it: those, and what is computed again in the backward pass, the logits of the
        loss always, the layers where activations are not kept (``recomputed``).
        """
        tokens, heads, pairs = _counts(rows)
        again = 2.0 * self.head * heads
        if recomputed:
            again += 2.0 * (self.frozen + self.trained) * tokens + 4.0 * self.attention * pairs
        return self.of(rows) + again


def _size(weight: torch.nn.Parameter) -> int:
    """Numbers in a weight; a packed 4-bit one knows what it was."""
    state = getattr(weight, "quant_state", None)
    return int(state.shape.numel()) if state is not None else weight.numel()


def work_of(model: torch.nn.Module) -> Work:
    """What a (not yet sharded) model costs, from its weights and its config."""
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    embeddings = model.get_input_embeddings().weight  # type: ignore[operator]
    output = model.get_output_embeddings()  # type: ignore[operator]
    head = output.weight if output is not None else embeddings
    layers = [one for one in model.parameters() if one.ndim >= 2 and one is not embeddings and one is not head]
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Work(
        frozen=sum(_size(one) for one in layers if not one.requires_grad),
        trained=sum(_size(one) for one in layers if one.requires_grad),
        head=_size(head),
        head_trained=bool(head.requires_grad),
        attention=config.num_hidden_layers * config.num_attention_heads * size,
    )


class Meter:
    """Tells the share of the peak at which steps are done, where the peak is known."""

    def __init__(self, work: Work, peak: float | None, processes: int) -> None:
        self.work = work
        self._peak, self._processes = peak, processes

    def share(self, rows: Sequence[Row], seconds: float) -> float | None:
        """Model FLOPs utilisation of a step on these rows, in [0, 1]."""
        if self._peak is None:
            return None
        return self.work.of(rows) / (seconds * self._peak * self._processes)
