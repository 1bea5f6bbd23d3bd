"""The arm ``scale``: a part of an adapter's change."""

from __future__ import annotations

from pathlib import Path

from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.lora_math import LoraPair, scale_pair
from medctx_train.checkpoints.sharded import open_checkpoint
from medctx_train.checkpoints.tensor_sources import MergedSource
from medctx_train.repair.config import ScaleConfig
from medctx_train.repair.interpolate import write_between
from medctx_train.repair.record import PreparedRepair, output_kind


def _scaled_pairs(adapter: Adapter, alpha: float, folder: Path) -> dict[str, LoraPair]:
    if not adapter.dora:
        # In the weights rather than in lora_alpha, so that the digest of the weights changes.
        return {module: scale_pair(pair, alpha, None) for module, pair in adapter.pairs.items()}
    with open_checkpoint(folder) as base:
        MergedSource(base, adapter)  # refuses a base of other shapes
        return {
            module: scale_pair(pair, alpha, base.read(f"{module}.weight")) for module, pair in adapter.pairs.items()
        }


def prepare(config: ScaleConfig) -> PreparedRepair:
    """Read the adapter and find its base."""
    adapter = adapters.load_adapter(config.adapter)
    adapter.require_plain("scaled")
    folder, card = adapters.base_of(adapter, config.base)
    kind = output_kind(adapter, config.write)

    def write(out: Path) -> int:
        if kind == "model":
            return write_between(folder, adapter, config.alpha, out)
        adapters.save_adapter(out, adapter, _scaled_pairs(adapter, config.alpha, folder), card, adapter.settings)
        return len(adapter.pairs)

    return PreparedRepair(
        inputs={"base": card.weights_digest, "adapter": adapter.digest},
        weights=kind,
        base=card,
        base_recorded=adapter.trained_on is not None,
        write=write,
    )
