"""The arm ``restore-qk``: the query and key projections of the base put back."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from medctx.errors import MedctxError
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.sharded import Stored, opened, write
from medctx_train.checkpoints.tensor_sources import Merged, Restored
from medctx_train.model.base import prepare as prepare_model
from medctx_train.model.lora import QUERY_KEY_PAIRS
from medctx_train.repair.config import RestoreQkConfig
from medctx_train.repair.prepared import Prepared
from medctx_train.repair.scale import kind_of

_PROJECTIONS = {name for pair in QUERY_KEY_PAIRS for name in pair}
_NORMS = {"q_norm", "k_norm", "q_layernorm", "k_layernorm"}
_FUSED = re.compile(r"qkv|query_key_value|c_attn|kv_[ab]_proj|q_[ab]_proj|att_proj", re.IGNORECASE)
"""Modules that hold queries or keys together with something else, or in two steps."""


def _leaf(module: str) -> str:
    return module.rpartition(".")[2]


def is_query_or_key(module: str, norms: bool) -> bool:
    """Whether the module of this path projects to queries or keys (with ``norms``: or normalises them)."""
    return _leaf(module) in (_PROJECTIONS | _NORMS if norms else _PROJECTIONS)


def _refuse_fused(modules: Iterable[str], place: Path) -> None:
    fused = next((module for module in modules if _FUSED.search(_leaf(module))), None)
    if fused is not None:
        raise MedctxError(
            f"{place} changes {fused}, which holds queries or keys together with other weights; they cannot be put "
            "back apart, use the arm scale or interpolate."
        )


def without(adapter: Adapter, norms: bool) -> Adapter:
    """The adapter without its pairs on queries and keys; refused where it has none, or nothing else."""
    _refuse_fused(adapter.pairs, adapter.folder)
    kept = {module: pair for module, pair in adapter.pairs.items() if not is_query_or_key(module, norms)}
    if len(kept) == len(adapter.pairs):
        raise MedctxError(f"The adapter {adapter.folder} changes no query or key; there is nothing to restore.")
    if not kept:
        raise MedctxError(
            f"The adapter {adapter.folder} changes queries and keys alone; restored it is its base, examine that."
        )
    settings = copy.copy(adapter.settings)
    settings.target_modules = sorted(kept)
    return replace(adapter, settings=settings, pairs=kept)


def _adapted(config: RestoreQkConfig, path: Path) -> Prepared:
    adapter = adapters.load(path)
    adapter.require_plain("restored")
    folder, card = adapters.base_of(adapter, config.base)
    rest = without(adapter, config.norms)
    kind = kind_of(adapter, config.write)

    def write_rest(out: Path) -> int:
        if kind == "adapter":
            adapters.save(out, rest, rest.pairs, card, rest.settings)
        else:
            out.mkdir(parents=True)
            with opened(folder) as base:
                write(Merged(base, rest), folder, out)
        return len(adapter.pairs) - len(rest.pairs)

    return Prepared(
        inputs={"base": card.weights_digest, "adapter": adapter.digest},
        weights=kind,
        base=card,
        base_recorded=adapter.trained_on is not None,
        write=write_rest,
    )


def _chosen(base: Stored, tuned: Stored, norms: bool) -> list[str]:
    """The tensors to put back: weights and biases of projections that training changed."""
    modules = {name: name.rpartition(".")[0] for name in tuned.forms}
    fused = [name for name, module in modules.items() if _FUSED.search(_leaf(module)) and base.has(name)]
    _refuse_fused((modules[name] for name in fused if not base.read(name).equal(tuned.read(name))), tuned.folder)
    chosen = [name for name, module in modules.items() if is_query_or_key(module, norms)]
    source = Restored(tuned, base, chosen)
    return [name for name in chosen if not source.read(name).equal(tuned.read(name))]


def _tuned(config: RestoreQkConfig) -> Prepared:
    (folder, card), (tuned_folder, tuned_card) = prepare_model(config.base), prepare_model(config.tuned)
    with opened(folder) as base, opened(tuned_folder) as tuned:
        chosen = _chosen(base, tuned, config.norms)
    if not chosen:
        raise MedctxError(
            f"The queries and keys of {config.tuned} are those of {config.base} already; there is nothing to restore."
        )

    def write_model(out: Path) -> int:
        out.mkdir(parents=True)
        with opened(folder) as base, opened(tuned_folder) as tuned:
            write(Restored(tuned, base, chosen), tuned_folder, out)
        return len(chosen)

    return Prepared(
        inputs={"base": card.weights_digest, "tuned": tuned_card.weights_digest},
        weights="model",
        base=card,
        base_recorded=False,
        write=write_model,
    )


def prepare(config: RestoreQkConfig) -> Prepared:
    """Find what was tuned and its base."""
    return _tuned(config) if config.adapter is None else _adapted(config, config.adapter)
