"""An adapted linear layer as one autograd function, on a CPU.

PEFT computes ``x W^T + s (x A^T) B^T`` by modules, each of which casts its input, rounds its result and keeps a copy
for the backward pass; on a CPU that costs a tenth of a step. Here the scale is multiplied into B, the product itself
adds the adapter, in float32, and only the input and ``x A^T`` are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from peft.tuners.lora.layer import Linear


class LoraProduct(torch.autograd.Function):
    """``x W^T + bias + s (x A^T) B^T`` in the precision of W, whose gradient is not computed.

    Shapes: x (..., inputs), W (outputs, inputs), A (rank, inputs), B (outputs, rank).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """Compute the layer."""
        precision = weight.dtype
        flat = x.reshape(-1, x.shape[-1]).to(precision)
        a_cast, b_scaled = a.to(precision), (b * scale).to(precision)
        low = flat @ a_cast.t()
        out = flat @ weight.t() if bias is None else torch.addmm(bias, flat, weight.t())
        out.addmm_(low, b_scaled.t())
        ctx.save_for_backward(flat, low, weight, a_cast, b_scaled)
        ctx.scale, ctx.shape, ctx.precisions = scale, x.shape, (x.dtype, a.dtype, b.dtype)
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradients of x, A and B."""
        flat, low, weight, a_cast, b_scaled = ctx.saved_tensors
        of_x, of_a, of_b = ctx.precisions
        grad = grad.reshape(-1, grad.shape[-1]).to(weight.dtype)
        low_grad = grad @ b_scaled
        x_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = (grad @ weight).addmm_(low_grad, a_cast).view(ctx.shape).to(of_x)
        a_grad = (low_grad.t() @ flat).to(of_a)
        b_grad = (grad.t() @ low).to(of_b) * ctx.scale
        return x_grad, None, None, a_grad, b_grad, None


def _is_plain(layer: Linear) -> bool:
    """Return True if the layer is LoRA as in the formula: one adapter, no variant such as DoRA, no dropout, no bias."""
    names = list(layer.lora_A)
    if len(names) != 1 or layer.fan_in_fan_out or layer.lora_variant:
        return False
    (name,) = names
    base = layer.base_layer
    return (
        type(base) is torch.nn.Linear
        and base.weight.device.type == "cpu"
        and base.weight.dtype == torch.bfloat16
        and not base.weight.requires_grad
        and isinstance(layer.lora_dropout[name], torch.nn.Identity)
        and not layer.lora_bias[name]
    )


def _forward(
    layer: Linear, by_modules: Callable[..., torch.Tensor], x: torch.Tensor, *args: object, **kwargs: object
) -> torch.Tensor:
    """Compute a layer as autocast to bfloat16 does; by its modules if its adapter is off, merged or not the usual."""
    (name,) = layer.lora_A
    in_bf16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    if args or kwargs or layer.disable_adapters or layer.merged or layer.active_adapters != [name] or not in_bf16:
        return by_modules(x, *args, **kwargs)
    base = layer.base_layer
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    result: torch.Tensor = LoraProduct.apply(x, base.weight, base.bias, a, b, layer.scaling[name])  # type: ignore[no-untyped-call]
    return result


def fuse_lora(model: torch.nn.Module) -> int:
    """Compute the adapted layers of a model by ``LoraProduct`` where it applies: bfloat16 on a CPU, LoRA or rsLoRA.

    Returns:
        The number of such layers.
    """
    layers = [module for module in model.modules() if type(module) is Linear and _is_plain(module)]
    for layer in layers:
        layer.forward = functools.partial(_forward, layer, layer.forward)  # type: ignore[method-assign]
    return len(layers)
