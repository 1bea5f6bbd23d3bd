"""Points a killed training run resumes from: trainable weights, optimizer and step, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FILE = "checkpoint.pt"


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def save(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Replace the folder's checkpoint atomically; ``step`` optimizer steps are done."""
    import torch

    weights = {name: value.detach().cpu() for name, value in trainable(model).items()}
    temporary = folder / f".{FILE}"
    torch.save({"weights": weights, "optimizer": optimizer.state_dict(), "step": step}, temporary)
    os.replace(temporary, folder / FILE)


def restore(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the folder's checkpoint into model and optimizer; returns the steps done, 0 without one."""
    import torch

    path = folder / FILE
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True, map_location="cpu")
    with torch.no_grad():
        for name, value in trainable(model).items():
            value.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def remove(folder: Path) -> None:
    """Drop the checkpoint of a finished run."""
    (folder / FILE).unlink(missing_ok=True)
