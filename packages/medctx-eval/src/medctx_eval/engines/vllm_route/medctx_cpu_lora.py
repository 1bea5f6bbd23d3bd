"""Adapters in vLLM on a CPU: one pair of products for all tokens of an adapter.

vLLM 0.32 copies an adapter's matrices there once for each token, takes one row of logits for each request (so it ends
where log-probabilities of a prompt are asked for), and applies an adapter to the base model's tokens in the same batch.

vLLM imports this module in each worker (``--worker-extension-cls medctx_cpu_lora.CpuLora``), possibly in an interpreter
without medctx: it imports nothing of medctx.
"""

from __future__ import annotations

from typing import Any

from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU


def _adapters_of(indices: Any, rows: int) -> Any:
    """The adapter of each row: ``indices`` has one for each row, or all of them are the same.

    Raises:
        ValueError: If neither holds: whose the rows are is unknown then.
    """
    if len(indices) == rows:
        return indices
    if (indices != indices[0]).any():
        raise ValueError(
            "A prompt cannot be read under an adapter with a changed lm_head in one batch with other models."
        )
    return indices[:1].expand(rows)


def _add(outputs: Any, inputs: Any, lora_a: Any, lora_b: Any, scale: float, adapters: Any) -> None:
    """Add ``scale * inputs @ lora_a.T @ lora_b.T`` of each row's adapter to ``outputs``, in float32.

    Args:
        outputs: Shape (rows, columns), changed in place.
        inputs: Shape (rows, features).
        lora_a: Shape (adapters, 1, rank, features).
        lora_b: Shape (adapters, 1, columns, rank).
        scale: Factor of the change.
        adapters: Shape (rows,); -1 for the base model.
    """
    for adapter in adapters.unique().tolist():
        if adapter >= 0:
            rows = adapters == adapter
            inner = inputs[rows].float() @ lora_a[adapter, 0].float().T
            outputs[rows] += (scale * inner @ lora_b[adapter, 0].float().T).to(outputs.dtype)


def _add_lora_linear(
    wrapper: Any,
    y: Any,
    x: Any,
    lora_a_stacked: Any,
    lora_b_stacked: Any,
    scale: float,
    output_slices: tuple[int, ...],
    **_options: Any,
) -> None:
    """Replace vLLM's method of this name: the layers that are computed as one lie side by side in ``y``."""
    inputs, outputs = x.view(-1, x.shape[-1]), y.view(-1, y.shape[-1])
    adapters = _adapters_of(wrapper.token_lora_indices, len(inputs))
    begin = 0
    for lora_a, lora_b, columns in zip(lora_a_stacked, lora_b_stacked, output_slices, strict=True):
        _add(outputs[:, begin : begin + columns], inputs, lora_a, lora_b, scale, adapters)
        begin += columns


def _add_lora_logits(
    wrapper: Any, y: Any, x: Any, lora_a_stacked: Any, lora_b_stacked: Any, scale: float, **_options: Any
) -> None:
    """Replace vLLM's method of this name; most adapters leave the output projection as it is."""
    if lora_b_stacked.any():
        adapters = _adapters_of(wrapper.sampler_indices, len(x))
        _add(y[:, : lora_b_stacked.shape[2]], x, lora_a_stacked, lora_b_stacked, scale, adapters)


PunicaWrapperCPU.add_lora_linear = _add_lora_linear  # type: ignore[method-assign, assignment]
PunicaWrapperCPU.add_lora_logits = _add_lora_logits  # type: ignore[method-assign, assignment]


class CpuLora:
    """Makes vLLM's workers import this module; adds nothing to them."""
