"""A repair that was read and checked and has yet to be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medctx.schemas.sft import BaseCard, WeightsKind


@dataclass(frozen=True, slots=True)
class Prepared:
    """``write`` builds the adapter or model in a folder that does not exist yet, and returns how many modules or
    tensors it changed; the other fields are those of the record.
    """

    inputs: dict[str, str]
    weights: WeightsKind
    base: BaseCard
    base_recorded: bool
    write: Callable[[Path], int]
