"""The output projection of a model in float32, from weights and hidden states in half precision.

Logits in half precision are coarse: between 16 and 32, bfloat16 has steps of 0.125, so different letters tie, and two
engines that round one bit differently differ by a whole step. The projection itself costs little, so float32 is cheap
there; vLLM does the same with ``head_dtype=float32``.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

_HALF_DTYPES = (torch.bfloat16, torch.float16)


class Float32Head(nn.Module):
    """Computes logits of shape (..., vocabulary) in float32.

    On a CPU it keeps a float32 copy of the weights (four bytes for each of vocabulary x hidden size). CUDA and ROCm
    accumulate the product of the stored weights in float32 and need no copy.
    """

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self._head = head
        self._copy = None if head.weight.is_cuda else head.weight.detach().float()

    @property
    def weight(self) -> torch.Tensor:
        """The stored weights."""
        return self._head.weight

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map hidden states of shape (..., hidden size) to logits."""
        bias = None if self._head.bias is None else self._head.bias.float()
        if self._copy is not None:
            return nn.functional.linear(hidden.float(), self._copy, bias)
        flat = hidden.reshape(-1, hidden.shape[-1])
        logits = torch.mm(flat, self.weight.t(), out_dtype=torch.float32)
        return (logits if bias is None else logits + bias).reshape(*hidden.shape[:-1], -1)


def use_float32_head(model: PreTrainedModel) -> bool:
    """Give a half-precision model a float32 head; returns whether its logits are float32.

    A head that is not a plain matrix (quantised or missing) is left unchanged.
    """
    head = model.get_output_embeddings()
    if isinstance(head, Float32Head):
        return True
    if type(head) is not nn.Linear:
        return False
    if head.weight.dtype not in _HALF_DTYPES:
        return head.weight.dtype is torch.float32
    model.set_output_embeddings(Float32Head(head))
    return True
