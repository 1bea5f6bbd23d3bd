"""NEFTune: uniform noise on the embeddings during training (Jain et al., arXiv 2310.05914)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def noise_bounds(position_ids: torch.Tensor, alpha: float, width: int) -> torch.Tensor:
    """Return the largest noise of every token of packed rows: ``alpha / sqrt(length * width)``.

    Args:
        position_ids: Positions, shape (1, tokens); a sample starts at every 0.
        alpha: Scale of the noise.
        width: Size of an embedding.

    Returns:
        The bound per token, shape of ``position_ids``; ``length`` is that of the token's own sample.
    """
    import torch

    starts = position_ids.flatten() == 0
    starts[0] = True
    sample = starts.cumsum(0) - 1
    lengths = torch.bincount(sample)[sample].view_as(position_ids)
    return alpha / torch.sqrt(lengths * width)


def add_neftune(model: PreTrainedModel, alpha: float) -> None:
    """Add noise to the embeddings of a model in training mode, through forward hooks.

    transformers' own hook uses the length of the whole row, which holds several samples here. The noise comes from
    torch's global generator, which the training loop seeds by step and row, so resuming does not change it.
    """
    import torch

    current_positions: list[torch.Tensor] = []

    def remember_positions(
        _module: torch.nn.Module, _args: tuple[object, ...], inputs: dict[str, torch.Tensor]
    ) -> None:
        current_positions[:] = [inputs["position_ids"]]

    def add_noise(module: torch.nn.Module, _args: tuple[object, ...], output: torch.Tensor) -> torch.Tensor:
        if not module.training or not current_positions:
            return output
        bounds = noise_bounds(current_positions[0], alpha, output.shape[-1])[..., None]
        return output + ((torch.rand_like(output, dtype=torch.float32) * 2 - 1) * bounds).to(output.dtype)

    model.base_model.register_forward_pre_hook(remember_positions, with_kwargs=True)
    model.get_input_embeddings().register_forward_hook(add_noise)
