"""NEFTune: uniform noise on the embeddings while training (Jain et al., arXiv 2310.05914)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def noise_sizes(position_ids: torch.Tensor, alpha: float, width: int) -> torch.Tensor:
    """Largest noise of every token of packed rows, shape of ``position_ids``: ``alpha / sqrt(length * width)``.

    ``length`` is that of the token's own sample, as if it stood alone; ``width`` the size of an embedding.
    """
    import torch

    begins = position_ids.flatten() == 0
    begins[0] = True
    sample = begins.cumsum(0) - 1
    lengths = torch.bincount(sample)[sample].view_as(position_ids)
    return alpha / torch.sqrt(lengths * width)


def add_noise(model: PreTrainedModel, alpha: float) -> None:
    """Let the model put noise on its embeddings whenever it is in training mode.

    transformers' own hook takes the length of the whole row, which is that of several samples here. Draws come from
    torch's global generator, which training seeds by the step: the noise hangs on nothing else, so resuming changes
    nothing.
    """
    import torch

    sizes: list[torch.Tensor] = []

    def note(_module: torch.nn.Module, _args: tuple[object, ...], inputs: dict[str, torch.Tensor]) -> None:
        sizes[:] = [inputs["position_ids"]]

    def disturb(module: torch.nn.Module, _args: tuple[object, ...], output: torch.Tensor) -> torch.Tensor:
        if not module.training or not sizes:
            return output
        size = noise_sizes(sizes[0], alpha, output.shape[-1])[..., None]
        return output + ((torch.rand_like(output, dtype=torch.float32) * 2 - 1) * size).to(output.dtype)

    model.base_model.register_forward_pre_hook(note, with_kwargs=True)
    model.get_input_embeddings().register_forward_hook(disturb)
