"""The arm ``combine``: several adapters of one base made one, by PEFT's methods."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.lora_math import Pair
from medctx_train.model.meta import hollow
from medctx_train.repair.config import CombineConfig, Method
from medctx_train.repair.prepared import Prepared

_RESULT = "combined"


def _combined(config: CombineConfig, folder: Path, read: Sequence[Adapter], method: Method) -> dict[str, Pair]:
    """PEFT's combination. It reads the adapters alone, so that they stand on a model without weights."""
    import torch
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer, LoraModel

    names = [f"adapter-{number}" for number in range(1, len(read) + 1)]
    model = PeftModel.from_pretrained(hollow(folder), str(read[0].folder), adapter_name=names[0])
    for name, one in zip(names[1:], read[1:], strict=True):
        model.load_adapter(str(one.folder), adapter_name=name)
    tuner = model.base_model
    assert isinstance(tuner, LoraModel)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        tuner.add_weighted_adapter(
            names,
            list(config.weighed),
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
        # PEFT works the scalings into the matrices, so that the result's is 1.
        if _RESULT in module.lora_A:
            a, b = (half[_RESULT].get_parameter("weight") for half in (module.lora_A, module.lora_B))
            pairs[path] = Pair(a.detach(), b.detach(), 1.0)
        elif _RESULT in module.lora_embedding_A:
            a, b = module.lora_embedding_A[_RESULT], module.lora_embedding_B[_RESULT]
            pairs[path] = Pair(a.detach(), b.detach(), 1.0, embedding=True)
    return pairs


def shortened(pair: Pair, rank: int) -> Pair:
    """The nearest pair of at most ``rank`` (Eckart and Young), by the singular values of ``b @ a``.

    The factors are small: with b = q r and a' = q' r' the singular values are those of r r'', (rank, rank) in shape.
    """
    import torch

    left, left_core = torch.linalg.qr(pair.b.float())
    right, right_core = torch.linalg.qr(pair.a.float().T)
    u, values, v = torch.linalg.svd(left_core @ right_core.T)
    rank = min(rank, len(values))
    b = left @ (u[:, :rank] * values[:rank])
    return Pair(v[:rank] @ right.T, b, pair.scaling, embedding=pair.embedding)


def combine(config: CombineConfig, folder: Path, read: Sequence[Adapter]) -> dict[str, Pair]:
    """The pairs of the combined adapter, each of scaling 1."""
    # svd of what cat gives is exact and takes seconds where PEFT's, on whole matrices, takes hours for 7B parameters.
    method: Method = "cat" if config.method == "svd" else config.method
    try:
        pairs = _combined(config, folder, read, method)
    except ValueError as error:
        raise MedctxError(
            f"PEFT does not combine these adapters by {config.method} ({error}); choose another method, cat takes any."
        ) from None
    if config.method != "svd":
        return pairs
    rank = config.rank or max(pair.a.shape[0] for one in read for pair in one.pairs.values())
    return {module: shortened(pair, rank) for module, pair in pairs.items()}


def prepare(config: CombineConfig) -> Prepared:
    """Read all adapters; they must be plain, without DoRA, and of one base."""
    read = [adapters.load(path) for path in config.adapters]
    for one in read:
        one.require_plain("combined")
        if one.dora:
            raise MedctxError(
                f"The adapter {one.folder} is DoRA, whose magnitudes PEFT leaves out when it combines; merge each "
                "adapter with medctx-train merge and interpolate between the models."
            )
    bases = [adapters.base_of(one, config.base) for one in read]
    folder, card = bases[0]
    for one, (_, other) in zip(read, bases, strict=True):
        if other.weights_digest != card.weights_digest:
            raise MedctxError(f"The adapters {read[0].folder} and {one.folder} belong to different bases.")
        if one.positions != read[0].positions:
            raise MedctxError(f"The adapters {read[0].folder} and {one.folder} were trained with different positions.")

    def write(out: Path) -> int:
        pairs = combine(config, folder, read)
        ranks = {module: pair.a.shape[0] for module, pair in pairs.items()}
        settings = copy.copy(read[0].settings)
        # PEFT keeps rsLoRA switched on, which would scale the result by the root of its rank.
        settings.use_rslora = False
        settings.r = settings.lora_alpha = max(ranks.values())
        settings.rank_pattern = {module: rank for module, rank in ranks.items() if rank != settings.r}
        settings.alpha_pattern = dict(settings.rank_pattern)
        settings.target_modules = sorted(pairs)
        adapters.save(out, read[0], pairs, card, settings)
        return len(pairs)

    return Prepared(
        inputs={
            "base": card.weights_digest,
            **{f"adapter-{number}": one.digest for number, one in enumerate(read, start=1)},
        },
        weights="adapter",
        base=card,
        base_recorded=all(one.trained_on is not None for one in read),
        write=write,
    )
