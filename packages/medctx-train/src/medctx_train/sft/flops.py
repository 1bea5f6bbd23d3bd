"""The floating-point operations of a step, and the model FLOPs utilisation (MFU) that a step reached.

Counted as in appendix B of PaLM (Chowdhery et al., arXiv 2204.02311): two operations per weight and token in the
forward pass, two for the gradient of the inputs and two for the gradient of the weights, which frozen weights do not
need; attention by the pairs of tokens that attend to each other; the head only at loss tokens. Recomputed activations
do not count towards MFU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx_train.data.packing import PackedRow

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

# Dense bfloat16 peaks in TFLOP/s from the vendors' data sheets; the first name that the device's name contains counts.
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
    """Return the bfloat16 peak of a device in FLOP/s, or None if it is not known (CPUs)."""
    return next((peak * 1e12 for name, peak in _PEAKS if name in device_name), None)


def _token_counts(rows: Sequence[PackedRow]) -> tuple[int, int, int]:
    """Return the tokens, the loss tokens, and the pairs (token, itself or an earlier token of the same sample)."""
    members = [member for row in rows for member in row.members]
    pairs = sum(len(member.ids) * (len(member.ids) + 1) // 2 for member in members)
    return sum(row.tokens for row in rows), sum(member.loss_tokens for member in members), pairs


@dataclass(frozen=True, slots=True)
class ModelFlops:
    """What a token costs in a model.

    Attributes:
        frozen: Frozen matrix weights in the layers.
        trained: Trained matrix weights in the layers.
        head: Weights of the head.
        head_trained: True if the head is trained.
        attention: Layers times heads times head size.
    """

    frozen: int
    trained: int
    head: int
    head_trained: bool
    attention: int

    def required(self, rows: Sequence[PackedRow]) -> float:
        """Return the operations that a step on these rows requires."""
        tokens, loss_tokens, pairs = _token_counts(rows)
        layers = (4.0 * self.frozen + 6.0 * self.trained) * tokens
        # Scores and weighted values: 4 operations per pair forward, twice that backward.
        return layers + (6.0 if self.head_trained else 4.0) * self.head * loss_tokens + 12.0 * self.attention * pairs

    def executed(self, rows: Sequence[PackedRow], *, recomputed: bool) -> float:
        """Return the operations of a step including what the backward pass recomputes.

        Args:
            rows: The rows of the step.
            recomputed: True with gradient checkpointing, which recomputes the layers; logits are always recomputed.
        """
        tokens, loss_tokens, pairs = _token_counts(rows)
        again = 2.0 * self.head * loss_tokens
        if recomputed:
            again += 2.0 * (self.frozen + self.trained) * tokens + 4.0 * self.attention * pairs
        return self.required(rows) + again


def _size(weight: torch.nn.Parameter) -> int:
    """Return the number of elements of a weight; one in packed 4 bits remembers its shape."""
    state = getattr(weight, "quant_state", None)
    return int(state.shape.numel()) if state is not None else weight.numel()


def model_flops(model: torch.nn.Module) -> ModelFlops:
    """Count the weights of a model that is not yet sharded."""
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    embeddings = model.get_input_embeddings().weight  # type: ignore[operator]
    output = model.get_output_embeddings()  # type: ignore[operator]
    head = output.weight if output is not None else embeddings
    layers = [
        weight for weight in model.parameters() if weight.ndim >= 2 and weight is not embeddings and weight is not head
    ]
    # Mamba has no attention.
    heads = getattr(config, "num_attention_heads", 0)
    head_size = getattr(config, "head_dim", None) or (config.hidden_size // heads if heads else 0)
    return ModelFlops(
        frozen=sum(_size(weight) for weight in layers if not weight.requires_grad),
        trained=sum(_size(weight) for weight in layers if weight.requires_grad),
        head=_size(head),
        head_trained=bool(head.requires_grad),
        attention=config.num_hidden_layers * heads * head_size,
    )


class UtilisationMeter:
    """Computes the MFU of steps if the peak of the devices is known.

    Attributes:
        flops: What a token costs in the model.
    """

    def __init__(self, flops: ModelFlops, peak: float | None, processes: int) -> None:
        self.flops = flops
        self._peak, self._processes = peak, processes

    @classmethod
    def of(cls, accelerator: Accelerator, model: torch.nn.Module) -> UtilisationMeter:
        """Return the meter of a model that is not yet sharded, on the devices of a launch."""
        import torch

        on_gpu = accelerator.device.type == "cuda"
        device_name = torch.cuda.get_device_name(accelerator.device) if on_gpu else ""
        return cls(model_flops(model), peak_flops(device_name), accelerator.num_processes)

    def utilisation(self, rows: Sequence[PackedRow], seconds: float) -> float | None:
        """Return the MFU of a step on these rows, in [0, 1]; None if the peak is not known."""
        if self._peak is None:
            return None
        return self.flops.required(rows) / (seconds * self._peak * self._processes)
