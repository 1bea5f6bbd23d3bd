"""A repair that is read and checked, before it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medctx.schemas.records import Record
from medctx.schemas.sft import BaseCard, RepairManifest, WeightsKind
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.repair.config import Repair


@dataclass(frozen=True, slots=True)
class PreparedRepair:
    """A repair whose inputs were read and checked.

    Attributes:
        inputs: See ``RepairPlan``.
        weights: See ``RepairPlan``.
        base: Card of the base.
        base_recorded: See ``medctx.schemas.sft.RepairManifest``.
        write: Builds the adapter or model in a folder that does not exist yet, and returns the number of modules or
            tensors that it changed.
    """

    inputs: dict[str, str]
    weights: WeightsKind
    base: BaseCard
    base_recorded: bool
    write: Callable[[Path], int]


def output_kind(adapter: Adapter, write: WeightsKind | Literal["auto"]) -> WeightsKind:
    """Return what is written: as configured, or under ``auto`` an adapter if vLLM can hot-load it."""
    if write != "auto":
        return write
    return "adapter" if adapter.hot_loadable else "model"


class RepairPlan(Record):
    """What a repair will do.

    ``inputs``: digests of the weights it reads, by role (``base``, ``adapter``, ``tuned``, ``adapter-1`` ...);
    ``weights``: whether the result is an adapter or a model, which is also the name of its folder.
    """

    arm: str
    parameters: Repair
    inputs: dict[str, str]
    weights: WeightsKind
    base: BaseCard

    def same_as(self, done: RepairManifest) -> bool:
        """Return True if a finished repair computed the same from the same weights, wherever they are stored."""
        paths = {"base", "tuned", "adapter", "adapters"}
        parameters = self.parameters.model_dump(mode="json", exclude=paths)
        return self.inputs == done.inputs and parameters == {
            key: value for key, value in done.parameters.items() if key not in paths
        }
