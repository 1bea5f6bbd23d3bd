"""The loss of a packed row: token weights, and cross entropy that never holds all logits at once."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from medctx_train.data.packing import IGNORED, PackedRow, RowTensors, row_tensors
from medctx_train.data.tokenize import EncodedSample
from medctx_train.model.config import Weighting

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

_KEPT_LOGITS = 2**24
"""So many logits (64 MiB in float32) are kept for the backward pass rather than computed a second time."""
_CHUNK = "medctx_loss_chunk"
"""Attribute that marks a model whose forward pass returns losses (see ``chunk_losses``)."""


def token_weight(member: EncodedSample, weighting: Weighting) -> float:
    """Return the weight of each loss token of a sample, before division by ``total_weight``."""
    return 1.0 if weighting == "token" or not member.loss_tokens else 1.0 / member.loss_tokens


def total_weight(rows: Sequence[PackedRow], weighting: Weighting) -> float:
    """Return the sum of the token weights of a step: its loss tokens, or its samples that have loss tokens."""
    members = [member for row in rows for member in row.members if member.loss_tokens]
    return float(sum(member.loss_tokens for member in members) if weighting == "token" else len(members))


def row_losses(model: torch.nn.Module, batch: RowTensors) -> torch.Tensor:
    """Return the cross entropy in nats of every loss token of a row, shape (loss tokens,).

    Logits are computed at the positions of loss tokens only, which saves most of the head's cost if answers are short.
    After ``chunk_losses`` they are computed in chunks.
    """
    positions = (batch.labels[0] != IGNORED).nonzero().squeeze(-1)
    targets = batch.labels[0, positions]
    causal = causal_model(model)
    inputs = model_inputs(causal, batch)
    if hasattr(causal, _CHUNK):
        losses: torch.Tensor = model(**inputs, answer_positions=positions, answer_tokens=targets)
        return losses
    return _whole_losses(model, inputs, positions, targets)


def _whole_losses(
    model: torch.nn.Module, inputs: Mapping[str, object], positions: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Return the losses of ``targets`` at ``positions`` from the model's own logits, all of them at once."""
    import torch

    logits = model(**inputs, logits_to_keep=positions).logits[0].float()
    losses: torch.Tensor = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    return losses


def causal_model(model: torch.nn.Module) -> torch.nn.Module:
    """Return the transformers model inside the wrappers of PEFT and of distributed training."""
    from transformers import PreTrainedModel

    return next((module for module in model.modules() if isinstance(module, PreTrainedModel)), model)


def _head_logits(config: PreTrainedConfig, head: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    """Return logits in float32, with the scale and soft cap that some architectures apply after the head."""
    import torch

    logits = head(hidden).float()
    scale = getattr(config, "logit_scale", None)
    if scale is not None:
        logits = logits * scale
    divisor = getattr(config, "logits_scaling", None)
    if divisor is not None:
        logits = logits / divisor
    cap = getattr(config, "final_logit_softcapping", None)
    capped: torch.Tensor = logits if cap is None else cap * torch.tanh(logits / cap)
    return capped


def chunk_losses(model: PreTrainedModel, chunk: int) -> None:
    """Make the model return losses instead of logits, computed ``chunk`` positions at a time.

    The logits of a chunk are computed, reduced to losses and dropped, and computed again in the backward pass. At 32k
    positions and a vocabulary of 150k, all logits in float32 would take 20 GB several times over; a chunk of 1,024
    takes 0.6 GB. Logits that are one chunk and few are kept, which saves a twentieth of a short row's time. The head
    is called as a module inside the model's own forward pass, so that sharding, gathering and adapters on the head keep
    working. Call this before adapters are added.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    original = model.forward
    config = model.config.get_text_config()
    vocabulary: int = getattr(config, "vocab_size", _KEPT_LOGITS + 1)

    def chunk_loss(hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = _head_logits(config, model.get_output_embeddings(), hidden)
        return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

    @functools.wraps(original)
    def forward(
        *args: object,
        answer_positions: torch.Tensor | None = None,
        answer_tokens: torch.Tensor | None = None,
        **inputs: object,
    ) -> object:
        if answer_positions is None or answer_tokens is None:
            return original(*args, **inputs)
        # PEFT passes on every argument it knows, unset ones too, and not every backbone accepts them.
        set_inputs = {name: value for name, value in inputs.items() if value is not None}
        hidden = model.base_model(*args, **set_inputs).last_hidden_state[0, answer_positions]
        if len(answer_tokens) <= chunk and len(answer_tokens) * vocabulary <= _KEPT_LOGITS:
            return chunk_loss(hidden, answer_tokens)
        chunks = zip(torch.split(hidden, chunk), torch.split(answer_tokens, chunk), strict=True)
        return torch.cat([checkpoint(chunk_loss, *part, use_reentrant=False) for part in chunks])

    model.forward = forward
    setattr(model, _CHUNK, chunk)


def restore_logits(model: PreTrainedModel) -> None:
    """Undo ``chunk_losses``."""
    del model.forward
    delattr(model, _CHUNK)


def chunking_gap(model: PreTrainedModel, row: PackedRow) -> float:
    """Return the largest difference in nats between a chunked loss and one from the model's own logits."""
    import torch

    batch = row_tensors(row).to(model.device)
    with torch.no_grad():
        chunked = row_losses(model, batch)
        positions = (batch.labels[0] != IGNORED).nonzero().squeeze(-1)
        whole = _whole_losses(model, model_inputs(model, batch), positions, batch.labels[0, positions])
    return float((chunked - whole).abs().max()) if len(whole) else 0.0


def model_inputs(model: torch.nn.Module, batch: RowTensors) -> dict[str, object]:
    """Return the model's arguments for a row.

    FlashAttention's kernels take the boundaries of samples as cumulative lengths. They are passed here, so that
    transformers does not compute them in every layer; other implementations read them from the positions.
    """
    import torch

    inputs: dict[str, object] = {
        "input_ids": batch.input_ids,
        "position_ids": batch.position_ids,
        "use_cache": False,
    }
    attention = getattr(getattr(model, "config", None), "_attn_implementation", "") or ""
    if attention.startswith("flash_attention"):
        begins = (batch.position_ids[0] == 0).nonzero().squeeze(-1)
        end = torch.tensor([batch.position_ids.shape[1]], device=begins.device)
        edges = torch.cat([begins, end]).to(torch.int32)
        longest = int(batch.position_ids.max()) + 1
        inputs |= {"cu_seq_lens_q": edges, "cu_seq_lens_k": edges, "max_length_q": longest, "max_length_k": longest}
    return inputs
