"""The arm ``restore-qk``: the query and key projections of the base restored in a tuned model."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from medctx.errors import MedctxError
from medctx.model.base import prepare_base as prepare_model
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.sharded import StoredSource, open_checkpoint, write_checkpoint
from medctx_train.checkpoints.tensor_sources import MergedSource, RestoredSource
from medctx_train.model.lora import QUERY_KEY_PAIRS
from medctx_train.repair.config import RestoreQkConfig
from medctx_train.repair.record import PreparedRepair, output_kind

_PROJECTIONS = {name for pair in QUERY_KEY_PAIRS for name in pair}
_NORMS = {"q_norm", "k_norm", "q_layernorm", "k_layernorm"}
_FUSED = re.compile(r"qkv|query_key_value|c_attn|kv_[ab]_proj|q_[ab]_proj|att_proj", re.IGNORECASE)
"""Modules that hold queries or keys together with other weights, or in two steps."""


def _leaf(module: str) -> str:
    return module.rpartition(".")[2]


def is_query_or_key(module: str, norms: bool) -> bool:
    """Return True if the module at this path projects to queries or keys (with ``norms``: or normalises them)."""
    return _leaf(module) in (_PROJECTIONS | _NORMS if norms else _PROJECTIONS)


def _refuse_fused(modules: Iterable[str], place: Path) -> None:
    fused = next((module for module in modules if _FUSED.search(_leaf(module))), None)
    if fused is not None:
        raise MedctxError(
            f"{place} changes {fused}, which holds queries or keys together with other weights; they cannot be "
            "restored separately, use the arm scale or interpolate."
        )


def without_query_key(adapter: Adapter, norms: bool) -> Adapter:
    """Return the adapter without its pairs on queries and keys; refused if it has none of them, or only them."""
    _refuse_fused(adapter.pairs, adapter.folder)
    others = {module: pair for module, pair in adapter.pairs.items() if not is_query_or_key(module, norms)}
    if len(others) == len(adapter.pairs):
        raise MedctxError(f"The adapter {adapter.folder} changes no query or key; there is nothing to restore.")
    if not others:
        raise MedctxError(
            f"The adapter {adapter.folder} changes queries and keys only, so restoring them gives the base itself; use "
            "the base."
        )
    settings = copy.copy(adapter.settings)
    settings.target_modules = sorted(others)
    return replace(adapter, settings=settings, pairs=others)


def _with_adapter(config: RestoreQkConfig, path: Path) -> PreparedRepair:
    adapter = adapters.load_adapter(path)
    adapter.require_plain("restored")
    folder, card = adapters.base_of(adapter, config.base)
    restored = without_query_key(adapter, config.norms)
    kind = output_kind(adapter, config.write)

    def write(out: Path) -> int:
        if kind == "adapter":
            adapters.save_adapter(out, restored, restored.pairs, card, restored.settings)
        else:
            out.mkdir(parents=True)
            with open_checkpoint(folder) as base:
                write_checkpoint(MergedSource(base, restored), folder, out)
        return len(adapter.pairs) - len(restored.pairs)

    return PreparedRepair(
        inputs={"base": card.weights_digest, "adapter": adapter.digest},
        weights=kind,
        base=card,
        base_recorded=adapter.trained_on is not None,
        write=write,
    )


def _tensors_to_restore(base: StoredSource, tuned: StoredSource, norms: bool) -> list[str]:
    """Return the weights and biases of query and key projections that training changed."""
    modules = {name: name.rpartition(".")[0] for name in tuned.specs}
    fused = [name for name, module in modules.items() if _FUSED.search(_leaf(module)) and base.has(name)]
    _refuse_fused((modules[name] for name in fused if not base.read(name).equal(tuned.read(name))), tuned.folder)
    names = [name for name, module in modules.items() if is_query_or_key(module, norms)]
    source = RestoredSource(tuned, base, names)
    return [name for name in names if not source.read(name).equal(tuned.read(name))]


def _with_model(config: RestoreQkConfig) -> PreparedRepair:
    (folder, card), (tuned_folder, tuned_card) = prepare_model(config.base), prepare_model(config.tuned)
    with open_checkpoint(folder) as base, open_checkpoint(tuned_folder) as tuned:
        names = _tensors_to_restore(base, tuned, config.norms)
    if not names:
        raise MedctxError(
            f"The queries and keys of {config.tuned} already are those of {config.base}; there is nothing to restore."
        )

    def write(out: Path) -> int:
        out.mkdir(parents=True)
        with open_checkpoint(folder) as base, open_checkpoint(tuned_folder) as tuned:
            write_checkpoint(RestoredSource(tuned, base, names), tuned_folder, out)
        return len(names)

    return PreparedRepair(
        inputs={"base": card.weights_digest, "tuned": tuned_card.weights_digest},
        weights="model",
        base=card,
        base_recorded=False,
        write=write,
    )


def prepare(config: RestoreQkConfig) -> PreparedRepair:
    """Find the tuned model and its base."""
    return _with_model(config) if config.adapter is None else _with_adapter(config, config.adapter)
