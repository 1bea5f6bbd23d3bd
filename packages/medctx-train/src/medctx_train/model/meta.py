"""The modules of a model without its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.model.decoder_config import read_config
from medctx.process.foreign_code import may_run_foreign_code

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_on_meta(folder: Path) -> PreTrainedModel:
    """Build the model of a folder on PyTorch's meta device, which holds shapes only."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            read_config(folder), trust_remote_code=may_run_foreign_code()
        )
    return model


def load_with_zeros(folder: Path) -> PreTrainedModel:
    """Build the model of a folder with weights of zero, each a single number expanded to its shape."""
    import torch

    model = load_on_meta(folder)
    for path, weight in list(model.named_parameters(remove_duplicate=False)):
        module, _, name = path.rpartition(".")
        zeros = torch.zeros((), dtype=weight.dtype).expand(weight.shape)
        setattr(model.get_submodule(module), name, torch.nn.Parameter(zeros, requires_grad=False))
    return model


def plain_modules(folder: Path) -> set[str]:
    """Return the paths of linear layers and embeddings, whose weight is a plain matrix."""
    import torch

    kinds = (torch.nn.Linear, torch.nn.Embedding)
    return {path for path, module in load_on_meta(folder).named_modules() if isinstance(module, kinds)}


def tied_tensors(folder: Path) -> dict[str, str]:
    """Return the tied tensors of a model (a head that is the embedding), each with the tensor it is tied to."""
    return dict(load_on_meta(folder).all_tied_weights_keys)
