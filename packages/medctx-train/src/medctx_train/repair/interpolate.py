"""The arm ``interpolate``: weights between two models."""

from __future__ import annotations

from pathlib import Path

from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.sharded import opened, write
from medctx_train.checkpoints.tensor_sources import Blend, Merged
from medctx_train.model.base import prepare as prepare_model
from medctx_train.repair.config import InterpolateConfig
from medctx_train.repair.prepared import Prepared


def write_between(folder: Path, adapter: Adapter, t: float, out: Path) -> int:
    """Write the model a share ``t`` of the way from the base of ``folder`` to base + adapter."""
    out.mkdir(parents=True)
    with opened(folder) as base:
        write(Blend(base, Merged(base, adapter), t), folder, out)
    return len(adapter.pairs)


def _with_adapter(config: InterpolateConfig, path: Path) -> Prepared:
    adapter = adapters.load(path)
    adapter.require_plain("interpolated by its weights")
    folder, card = adapters.base_of(adapter, config.base)
    return Prepared(
        inputs={"base": card.weights_digest, "adapter": adapter.digest},
        weights="model",
        base=card,
        base_recorded=adapter.trained_on is not None,
        write=lambda out: write_between(folder, adapter, config.t, out),
    )


def _with_model(config: InterpolateConfig) -> Prepared:
    (folder, card), (tuned_folder, tuned_card) = prepare_model(config.base), prepare_model(config.tuned)

    def write_model(out: Path) -> int:
        out.mkdir(parents=True)
        with opened(folder) as base, opened(tuned_folder) as tuned:
            both = Blend(base, tuned, config.t)
            write(both, folder, out)
        return len(both.forms)

    return Prepared(
        inputs={"base": card.weights_digest, "tuned": tuned_card.weights_digest},
        weights="model",
        base=card,
        base_recorded=False,
        write=write_model,
    )


def prepare(config: InterpolateConfig) -> Prepared:
    """Find both models."""
    return _with_model(config) if config.adapter is None else _with_adapter(config, config.adapter)
