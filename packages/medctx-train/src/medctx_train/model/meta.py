"""The modules of a model without its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def empty(folder: Path) -> PreTrainedModel:
    """The model of a folder on the device that holds nothing."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    return model


def hollow(folder: Path) -> PreTrainedModel:
    """The model of a folder, every weight a zero that fills its shape and takes no memory: for what needs names, kinds
    and shapes of modules only.
    """
    import torch

    model = empty(folder)
    for name, weight in list(model.named_parameters(remove_duplicate=False)):
        place, _, leaf = name.rpartition(".")
        zeros = torch.zeros((), dtype=weight.dtype).expand(weight.shape)
        setattr(model.get_submodule(place), leaf, torch.nn.Parameter(zeros, requires_grad=False))
    return model


def plain_modules(folder: Path) -> set[str]:
    """Paths of the modules whose weight is a plain matrix: linear layers and embeddings."""
    import torch

    kinds = (torch.nn.Linear, torch.nn.Embedding)
    return {name for name, module in empty(folder).named_modules() if isinstance(module, kinds)}


def tied(folder: Path) -> dict[str, str]:
    """Tensors of a model that are another one of its tensors (the head that is the embedding), by the name of that."""
    return dict(empty(folder).all_tied_weights_keys)
