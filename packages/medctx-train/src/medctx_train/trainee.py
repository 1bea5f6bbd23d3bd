"""The model a run trains: loaded, tested for leaks between packed samples, and given what is to be trained of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx_train.attention import packing_gap
from medctx_train.config import SftConfig
from medctx_train.lora import add_lora
from medctx_train.model import load_model
from medctx_train.pack import Row

if TYPE_CHECKING:
    import torch


def _self_test(model: torch.nn.Module, rows: Sequence[Row], limit: float) -> float:
    """Packed against unpacked loss of the first row with several members; stops the run on a leak."""
    row = next((row for row in rows if len(row.members) > 1), None)
    if row is None:
        return 0.0
    gap = packing_gap(model, row)
    if gap > limit:
        raise MedctxError(
            f"Packed samples see each other: a sample's loss differs by {gap:.3f} nats inside a row (limit {limit:g}); "
            "this model's attention ignores packing boundaries, choose another base or raise max_packing_gap."
        )
    return gap


def load_trainee(config: SftConfig, folder: Path, rows: Sequence[Row]) -> tuple[torch.nn.Module, float]:
    """The model in training mode, and its packing gap in nats; the same in every process of a launch."""
    import torch

    torch.manual_seed(config.seed)
    model: torch.nn.Module = load_model(folder)
    gap = _self_test(model, rows, config.max_packing_gap)
    if config.method != "full":
        model = add_lora(model, config.lora, config.seed)  # type: ignore[arg-type]
    return model.train(), gap


def trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}
