"""The arm ``combine``: several adapters of one base combined into one, by PEFT's methods."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.lora_math import LoraPair
from medctx_train.model.meta import load_with_zeros
from medctx_train.repair.config import CombineConfig, CombineMethod
from medctx_train.repair.record import PreparedRepair

_RESULT = "combined"


def _combine_with_peft(
    config: CombineConfig, folder: Path, inputs: Sequence[Adapter], method: CombineMethod
) -> dict[str, LoraPair]:
    """Combine with PEFT, which reads the adapters only: the base has weights of zero that take no memory."""
    import torch
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer, LoraModel

    names = [f"adapter-{number}" for number in range(1, len(inputs) + 1)]
    model = PeftModel.from_pretrained(load_with_zeros(folder), str(inputs[0].folder), adapter_name=names[0])
    for name, adapter in zip(names[1:], inputs[1:], strict=True):
        model.load_adapter(str(adapter.folder), adapter_name=name)
    tuner = model.base_model
    assert isinstance(tuner, LoraModel)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        tuner.add_weighted_adapter(
            names,
            list(config.weights),
            _RESULT,
            combination_type=method,
            svd_rank=config.rank or None,
            svd_full_matrices=False,
            density=config.density,
            majority_sign_method=config.majority_sign,
        )
    pairs = {}
    for path, module in tuner.model.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        # PEFT multiplies the scalings into the matrices, so the scaling of the result is 1.
        if _RESULT in module.lora_A:
            a, b = (half[_RESULT].get_parameter("weight") for half in (module.lora_A, module.lora_B))
            pairs[path] = LoraPair(a.detach(), b.detach(), 1.0)
        elif _RESULT in module.lora_embedding_A:
            a, b = module.lora_embedding_A[_RESULT], module.lora_embedding_B[_RESULT]
            pairs[path] = LoraPair(a.detach(), b.detach(), 1.0, embedding=True)
    return pairs


def truncate_rank(pair: LoraPair, rank: int) -> LoraPair:
    """Return the nearest pair of at most ``rank`` (Eckart and Young), by the singular values of ``b @ a``.

    With the QR decompositions b = q r and a^T = q' r', the singular values are those of r r'^T, which has shape (rank,
    rank).
    """
    import torch

    left, left_core = torch.linalg.qr(pair.b.float())
    right, right_core = torch.linalg.qr(pair.a.float().T)
    u, values, v = torch.linalg.svd(left_core @ right_core.T)
    rank = min(rank, len(values))
    b = left @ (u[:, :rank] * values[:rank])
    return LoraPair(v[:rank] @ right.T, b, pair.scaling, embedding=pair.embedding)


def combine(config: CombineConfig, folder: Path, inputs: Sequence[Adapter]) -> dict[str, LoraPair]:
    """Return the pairs of the combined adapter, each of scaling 1."""
    # Truncating the result of cat is exact and takes seconds; PEFT's svd of whole matrices takes hours for a 7B model.
    method: CombineMethod = "cat" if config.method == "svd" else config.method
    try:
        pairs = _combine_with_peft(config, folder, inputs, method)
    except ValueError as error:
        raise MedctxError(
            f"PEFT cannot combine these adapters by {config.method} ({error}); choose another method, cat takes any."
        ) from None
    if config.method != "svd":
        return pairs
    rank = config.rank or max(pair.a.shape[0] for adapter in inputs for pair in adapter.pairs.values())
    return {module: truncate_rank(pair, rank) for module, pair in pairs.items()}


def prepare(config: CombineConfig) -> PreparedRepair:
    """Read the adapters; they must be plain, without DoRA, and trained on one base."""
    inputs = [adapters.load_adapter(path) for path in config.adapters]
    for adapter in inputs:
        adapter.require_plain("combined")
        if adapter.dora:
            raise MedctxError(
                f"The adapter {adapter.folder} is DoRA, whose magnitudes PEFT ignores when it combines; merge each "
                "adapter with medctx-train merge and interpolate between the models."
            )
    bases = [adapters.base_of(adapter, config.base) for adapter in inputs]
    folder, card = bases[0]
    for adapter, (_, other) in zip(inputs, bases, strict=True):
        if other.weights_digest != card.weights_digest:
            raise MedctxError(f"The adapters {inputs[0].folder} and {adapter.folder} belong to different bases.")
        if adapter.positions != inputs[0].positions:
            raise MedctxError(
                f"The adapters {inputs[0].folder} and {adapter.folder} were trained with different rotary positions."
            )

    def write(out: Path) -> int:
        pairs = combine(config, folder, inputs)
        ranks = {module: pair.a.shape[0] for module, pair in pairs.items()}
        settings = copy.copy(inputs[0].settings)
        # PEFT leaves rsLoRA on, which would scale the result by the root of its rank.
        settings.use_rslora = False
        settings.r = settings.lora_alpha = max(ranks.values())
        settings.rank_pattern = {module: rank for module, rank in ranks.items() if rank != settings.r}
        settings.alpha_pattern = dict(settings.rank_pattern)
        settings.target_modules = sorted(pairs)
        adapters.save_adapter(out, inputs[0], pairs, card, settings)
        return len(pairs)

    return PreparedRepair(
        inputs={
            "base": card.weights_digest,
            **{f"adapter-{number}": adapter.digest for number, adapter in enumerate(inputs, start=1)},
        },
        weights="adapter",
        base=card,
        base_recorded=all(adapter.trained_on is not None for adapter in inputs),
        write=write,
    )
