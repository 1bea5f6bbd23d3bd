"""The loss of a packed row: which tokens count how much, and cross entropy that never holds all logits."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from medctx_train.data.packing import IGNORED, Row, Tensors, tensors
from medctx_train.data.tokenize import Encoded

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

Weighting = Literal["token", "sample"]
"""``token``: every loss token of a step weighs the same; ``sample``: every sample does, however long its answers."""


def token_weight(member: Encoded, weighting: Weighting) -> float:
    """The weight of each loss token of a sample, before division by :func:`total_weight`."""
    return 1.0 if weighting == "token" or not member.loss_tokens else 1.0 / member.loss_tokens


def total_weight(rows: Sequence[Row], weighting: Weighting) -> float:
    """What the weighted losses of a step's rows are divided by: its loss tokens, or its samples that carry loss."""
    members = [member for row in rows for member in row.members if member.loss_tokens]
    return float(sum(member.loss_tokens for member in members) if weighting == "token" else len(members))


def row_losses(model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
    """Cross entropy in nats of every token of the row that carries loss, shape (loss tokens,).

    Logits are computed at those positions alone: for short answers after long texts that is most of the
    vocabulary's cost saved. Where :func:`chunk_losses` was called, they are never held all at once either.
    """
    kept = (batch.labels[0] != IGNORED).nonzero().squeeze(-1)
    targets = batch.labels[0, kept]
    inputs = _inputs(_causal(model), batch)
    if hasattr(_causal(model), _CHUNK):
        chunked: torch.Tensor = model(**inputs, answer_positions=kept, answer_tokens=targets)
        return chunked
    return _whole_losses(model, inputs, kept, targets)


def _whole_losses(
    model: torch.nn.Module, inputs: Mapping[str, object], kept: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Losses of the tokens ``targets`` after the positions ``kept``, from the model's own logits of all of them."""
    import torch

    logits = model(**inputs, logits_to_keep=kept).logits[0].float()
    losses: torch.Tensor = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    return losses


_CHUNK = "medctx_loss_chunk"


def _causal(model: torch.nn.Module) -> torch.nn.Module:
    """The transformers model inside the wrappers of PEFT and of distributed training."""
    from transformers import PreTrainedModel

    return next((module for module in model.modules() if isinstance(module, PreTrainedModel)), model)


def _logits(config: PreTrainedConfig, head: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    """Logits of some positions in float32, with the scale and the cap that some architectures put behind the head."""
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
    """Make the model return losses instead of logits for the positions it is asked for, ``chunk`` of them at a time.

    The logits of a chunk are made, turned into losses and dropped, and made again in the backward pass: at 32k
    positions and 150k words all of them in float32 would take 20 GB several times over, a chunk of 1,024 takes 0.6
    GB. The head is called as a module, inside the model's own forward pass, so that sharding, gathering and adapters
    on it keep working. Call it before adapters are put on.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    original = model.forward
    config = model.config.get_text_config()

    def losses_of(hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = _logits(config, model.get_output_embeddings(), hidden)
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
        # PEFT hands on every argument it knows of, unset ones as well, and not every backbone knows them.
        told = {name: value for name, value in inputs.items() if value is not None}
        hidden = model.base_model(*args, **told).last_hidden_state[0, answer_positions]
        parts = zip(torch.split(hidden, chunk), torch.split(answer_tokens, chunk), strict=True)
        # The head draws nothing at random, unless it carries an adapter with dropout.
        return torch.cat([checkpoint(losses_of, *part, use_reentrant=False) for part in parts])

    model.forward = forward
    setattr(model, _CHUNK, chunk)


def keep_whole_losses(model: PreTrainedModel) -> None:
    """Take :func:`chunk_losses` back."""
    del model.forward
    delattr(model, _CHUNK)


def chunking_gap(model: PreTrainedModel, row: Row) -> float:
    """Largest difference in nats between a loss by chunks and from the model's own logits."""
    import torch

    batch = tensors(row).to(model.device)
    with torch.no_grad():
        chunked = row_losses(model, batch)
        kept = (batch.labels[0] != IGNORED).nonzero().squeeze(-1)
        whole = _whole_losses(model, _inputs(model, batch), kept, batch.labels[0, kept])
    return float((chunked - whole).abs().max()) if len(whole) else 0.0


def _inputs(model: torch.nn.Module, batch: Tensors) -> dict[str, object]:
    """What the model is called with. FlashAttention's kernels take where samples begin as lengths; told here, so that
    transformers need not find them anew in every layer. Other attention reads the positions.
    """
    import torch

    inputs: dict[str, object] = {
        "input_ids": batch.input_ids,
        "position_ids": batch.position_ids,
        "use_cache": False,
    }
    kind = getattr(getattr(model, "config", None), "_attn_implementation", "") or ""
    if kind.startswith("flash_attention"):
        begins = (batch.position_ids[0] == 0).nonzero().squeeze(-1)
        end = torch.tensor([batch.position_ids.shape[1]], device=begins.device)
        edges = torch.cat([begins, end]).to(torch.int32)
        longest = int(batch.position_ids.max()) + 1
        inputs |= {"cu_seq_lens_q": edges, "cu_seq_lens_k": edges, "max_length_q": longest, "max_length_k": longest}
    return inputs
