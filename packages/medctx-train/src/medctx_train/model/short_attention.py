"""Attention of short rows on a CPU in bfloat16: batched products, which PyTorch's kernel for CPUs is slower than.

Scores and their gradients are in float32, softmax too; the weights are kept in bfloat16, heads x tokens^2 per layer,
which is why long rows are left to PyTorch. Query heads that share keys are stacked, so keys are not repeated.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from medctx.model.training_memory import SHORT_ROW

NAME = "medctx_short_rows"


class ShortAttention(torch.autograd.Function):
    """``softmax(s Q K^T + mask) V``.

    Shapes: queries (batch, heads, tokens, size); keys and values (batch, key heads, tokens, size); mask, True where a
    token attends, broadcast to (batch, heads, tokens, tokens); the result (batch, tokens, heads, size).
    """

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Compute attention."""
        (batch, heads, tokens, _), groups = query.shape, key.shape[0] * key.shape[1]
        q, k, v = (part.reshape(groups, -1, part.shape[-1]) for part in (query, key, value))
        scores = torch.bmm(q.float(), k.float().transpose(1, 2)).mul_(scale).view(batch, heads, tokens, tokens)
        weights = torch.softmax(scores.masked_fill_(~mask, float("-inf")), -1).to(q.dtype).view(groups, -1, tokens)
        ctx.save_for_backward(q, k, v, weights)
        ctx.scale, ctx.shapes = scale, (query.shape, key.shape, value.shape)
        return torch.bmm(weights, v).view(batch, heads, tokens, -1).transpose(1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradients of queries, keys and values."""
        q, k, v, weights = ctx.saved_tensors
        of_query, of_key, of_value = ctx.shapes
        grad = grad.transpose(1, 2).reshape(len(q), -1, v.shape[-1])
        weights_grad = torch.bmm(grad.float(), v.float().transpose(1, 2))
        scores_grad = torch._softmax_backward_data(weights_grad, weights.float(), -1, torch.float32)
        scores_grad = scores_grad.mul_(ctx.scale).to(q.dtype)
        return (
            torch.bmm(scores_grad, k).view(of_query),
            torch.bmm(scores_grad.transpose(1, 2), q).view(of_key),
            torch.bmm(weights.transpose(1, 2), grad).view(of_value),
            None,
            None,
        )


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Compute as ``ShortAttention``, or as PyTorch does where something else than a short masked row is asked for."""
    tokens = query.shape[2]
    plain = (
        all(part.dtype == torch.bfloat16 and part.device.type == "cpu" for part in (query, key, value))
        and tokens == key.shape[2] <= SHORT_ROW
        and not dropout
        and scaling is not None
        and all(kwargs.get(name) is None for name in ("position_bias", "cache", "is_causal"))
    )
    mask = attention_mask
    if mask is None and getattr(module, "is_causal", True):
        mask = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device).tril()
    if not plain or mask is None or mask.dtype != torch.bool:
        outputs: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return outputs
    result: torch.Tensor = ShortAttention.apply(query, key, value, mask, scaling)  # type: ignore[no-untyped-call]
    return result, None


def use_short_attention(model: PreTrainedModel) -> bool:
    """Compute the attention of short rows by ``ShortAttention`` in a model that uses PyTorch's kernel.

    Returns:
        True if the model takes its attention from transformers' interface, so that it can be changed.
    """
    if model.config._attn_implementation != "sdpa" or not model._can_set_attn_implementation():
        return False
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    model.set_attn_implementation(NAME)
    return True
