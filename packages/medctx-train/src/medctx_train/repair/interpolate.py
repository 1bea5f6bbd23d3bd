"""The arm ``interpolate``: weights between two models."""

from __future__ import annotations

from pathlib import Path

from medctx.model.base import prepare_base as prepare_model
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.export import copy_template
from medctx_train.checkpoints.sharded import open_checkpoint, write_checkpoint
from medctx_train.checkpoints.tensor_sources import BlendedSource, MergedSource
from medctx_train.repair.config import InterpolateConfig
from medctx_train.repair.record import PreparedRepair


def write_between(folder: Path, adapter: Adapter, t: float, out: Path) -> int:
    """Write (1 - t) * base + t * (base with the adapter); return the number of changed modules."""
    out.mkdir(parents=True)
    copy_template(adapter.folder, out)
    with open_checkpoint(folder) as base:
        write_checkpoint(BlendedSource(base, MergedSource(base, adapter), t), folder, out)
    return len(adapter.pairs)


def _with_adapter(config: InterpolateConfig, path: Path) -> PreparedRepair:
    adapter = adapters.load_adapter(path)
    adapter.require_plain("interpolated by its weights")
    folder, card = adapters.base_of(adapter, config.base)
    return PreparedRepair(
        inputs={"base": card.weights_digest, "adapter": adapter.digest},
        weights="model",
        base=card,
        base_recorded=adapter.trained_on is not None,
        write=lambda out: write_between(folder, adapter, config.t, out),
    )


def _with_model(config: InterpolateConfig) -> PreparedRepair:
    (folder, card), (tuned_folder, tuned_card) = prepare_model(config.base), prepare_model(config.tuned)

    def write(out: Path) -> int:
        out.mkdir(parents=True)
        with open_checkpoint(folder) as base, open_checkpoint(tuned_folder) as tuned:
            blended = BlendedSource(base, tuned, config.t)
            write_checkpoint(blended, folder, out)
        return len(blended.specs)

    return PreparedRepair(
        inputs={"base": card.weights_digest, "tuned": tuned_card.weights_digest},
        weights="model",
        base=card,
        base_recorded=False,
        write=write,
    )


def prepare(config: InterpolateConfig) -> PreparedRepair:
    """Find both models."""
    return _with_model(config) if config.adapter is None else _with_adapter(config, config.adapter)
