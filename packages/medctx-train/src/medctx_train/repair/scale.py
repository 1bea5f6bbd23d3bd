"""The arm ``scale``: a part of an adapter's change."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from medctx.schemas.sft import WeightsKind
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.lora_math import Pair, scaled
from medctx_train.checkpoints.sharded import opened
from medctx_train.checkpoints.tensor_sources import Merged
from medctx_train.repair.config import ScaleConfig
from medctx_train.repair.interpolate import write_between
from medctx_train.repair.prepared import Prepared


def kind_of(adapter: Adapter, asked: WeightsKind | Literal["auto"]) -> WeightsKind:
    """What is written: as asked, else an adapter wherever vLLM can hot-load it."""
    if asked != "auto":
        return asked
    return "adapter" if adapter.hot_loadable else "model"


def _scaled_pairs(adapter: Adapter, alpha: float, folder: Path) -> dict[str, Pair]:
    if not adapter.dora:
        # Into the weights, not into lora_alpha: answers are kept by the digest of the weights.
        return {module: scaled(pair, alpha, None) for module, pair in adapter.pairs.items()}
    with opened(folder) as base:
        Merged(base, adapter)  # refuses a base of other shapes
        return {module: scaled(pair, alpha, base.read(f"{module}.weight")) for module, pair in adapter.pairs.items()}


def prepare(config: ScaleConfig) -> Prepared:
    """Read the adapter and find its base."""
    adapter = adapters.load(config.adapter)
    adapter.require_plain("scaled")
    folder, card = adapters.base_of(adapter, config.base)
    kind = kind_of(adapter, config.write)

    def write(out: Path) -> int:
        if kind == "model":
            return write_between(folder, adapter, config.alpha, out)
        adapters.save(out, adapter, _scaled_pairs(adapter, config.alpha, folder), card, adapter.settings)
        return len(adapter.pairs)

    return Prepared(
        inputs={"base": card.weights_digest, "adapter": adapter.digest},
        weights=kind,
        base=card,
        base_recorded=adapter.trained_on is not None,
        write=write,
    )
