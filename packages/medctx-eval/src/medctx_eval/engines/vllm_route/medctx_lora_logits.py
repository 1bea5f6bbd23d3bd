"""An adapter's change of the output projection, in vLLM on a CPU.

There vLLM 0.32 takes one row of logits for each request, and ends where a request has several, as log-probabilities of
a prompt need; it changes the logits of the base model too when an adapter with a changed ``lm_head`` is loaded; and it
copies the whole projection for each row, even if no adapter changes it, which is the usual case.

vLLM imports this module in each worker (``--worker-extension-cls medctx_lora_logits.LoraLogits``), possibly in an
interpreter without medctx: it imports nothing of medctx.
"""

from __future__ import annotations

from typing import Any

from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU


def _add_lora_logits(
    wrapper: Any, logits: Any, hidden: Any, lora_a: Any, lora_b: Any, scale: float, **_options: Any
) -> None:
    """Add to each row of ``logits`` the change of its adapter.

    Args:
        wrapper: Knows the adapter of each request (``sampler_indices``), -1 for the base model.
        logits: Shape (rows, vocabulary, possibly padded), changed in place.
        hidden: Shape (rows, hidden size).
        lora_a: Shape (adapters, 1, rank, hidden size).
        lora_b: Shape (adapters, 1, vocabulary, rank).
        scale: Factor of the change.

    Raises:
        ValueError: If rows of a prompt come together with requests of another model: whose they are is unknown here.
    """
    if not lora_b.any():
        return
    adapters = wrapper.sampler_indices
    if len(adapters) != len(hidden):
        if (adapters != adapters[0]).any():
            raise ValueError("A prompt cannot be read under an adapter with a changed lm_head beside other models.")
        adapters = adapters[:1].expand(len(hidden))
    for adapter in adapters.unique().tolist():
        if adapter >= 0:
            rows = adapters == adapter
            inner = hidden[rows].float() @ lora_a[adapter, 0].float().T
            logits[rows, : lora_b.shape[2]] += (scale * inner @ lora_b[adapter, 0].float().T).to(logits.dtype)


PunicaWrapperCPU.add_lora_logits = _add_lora_logits  # type: ignore[method-assign, assignment]


class LoraLogits:
    """Makes vLLM's workers import this module; adds nothing to them."""
