"""Checkpoints computed tensor by tensor: an adapter merged, two checkpoints blended, or some tensors restored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.lora_math import merged_weight
from medctx_train.checkpoints.sharded import StoredSource, TensorSource, TensorSpec

if TYPE_CHECKING:
    import torch

_CHUNK = 2**24
"""Elements that are blended at a time, so that no whole tensor is held in float32."""


class MergedSource:
    """A base with the pairs of an adapter added; every pair must belong to a stored matrix of its shape.

    If the head is tied to the embedding and the adapter changes one of the two, they become two tensors, so that the
    merged model computes what the adapter did.
    """

    def __init__(self, base: StoredSource, adapter: Adapter) -> None:
        self._base = base
        self._pairs = {f"{module}.weight": pair for module, pair in adapter.pairs.items()}
        tied = {name for names in base.tied.items() for name in names}
        untied = bool(tied & self._pairs.keys())
        positions = adapter.positions.model_dump(mode="json") if adapter.positions else {}
        self.config_changes: Mapping[str, JsonValue] = {
            **positions,
            **({"tie_word_embeddings": False} if untied else {}),
        }
        specs = dict(base.specs)
        for name, original in base.tied.items() if untied else ():
            specs.setdefault(name, base.specs[original])
        self.specs: Mapping[str, TensorSpec] = specs
        for name, pair in self._pairs.items():
            shape = (pair.b.shape[0], pair.a.shape[1])
            expected = shape[::-1] if pair.embedding else shape
            if name not in specs or specs[name].shape != expected:
                if name not in specs:
                    raise MedctxError(
                        f"The adapter changes {name}, but {base.folder} stores no tensor of that name; set base to the "
                        "model it was trained on, or, if it is, merge it with medctx-train merge and interpolate "
                        "between the checkpoints instead."
                    )
                actual = f"shape {specs[name].shape}"
                raise MedctxError(
                    f"The adapter changes {name} of shape {expected}, but {base.folder} has {actual}; set base to the "
                    "model it was trained on."
                )
        for name, copy in adapter.base_copies.items():
            if not (base.has(name) and copy.float().equal(base.read(name).float())):
                raise MedctxError(
                    f"The adapter {adapter.folder} contains a copy of {name} that differs from that of "
                    f"{base.folder}; set base to the model it was trained on, with the same vocabulary."
                )

    def has(self, name: str) -> bool:
        """Return True if the base has it."""
        return self._base.has(name)

    def read(self, name: str) -> torch.Tensor:
        """Return the base's tensor, or the sum in float32 if the adapter changes it."""
        weight = self._base.read(name)
        pair = self._pairs.get(name)
        return weight if pair is None else merged_weight(weight, pair)


def blend(first: torch.Tensor, second: torch.Tensor, t: float, dtype: torch.dtype) -> torch.Tensor:
    """Return ``(1 - t) * first + t * second``, computed in float32 and rounded once to ``dtype``; exact at 0 and 1."""
    import torch

    if t in (0, 1):
        return (second if t else first).to(dtype)
    mixed = torch.empty(first.shape, dtype=dtype)
    flat, flat_first, flat_second = mixed.view(-1), first.reshape(-1), second.reshape(-1)
    for begin in range(0, flat.numel(), _CHUNK):
        piece = slice(begin, begin + _CHUNK)
        flat[piece] = (1 - t) * flat_first[piece].float() + t * flat_second[piece].float()
    return mixed


class BlendedSource:
    """``(1 - t) * first + t * second`` of two checkpoints of one shape (WiSE-FT, arXiv 2109.01903); ``t`` in [0, 1].

    If their precisions differ, the wider one is kept.
    """

    def __init__(self, first: TensorSource, second: TensorSource, t: float) -> None:
        import torch

        self._first, self._second, self._t = first, second, t
        specs: dict[str, TensorSpec] = {}
        for name in (*first.specs, *(name for name in second.specs if name not in first.specs)):
            either = [source.specs[name] for source in (first, second) if name in source.specs]
            if not (first.has(name) and second.has(name)):
                raise MedctxError(f"Only one of the models has the tensor {name}; both must be of one architecture.")
            if either[0].shape != either[-1].shape:
                raise MedctxError(
                    f"The tensor {name} is {either[0].shape} in one model and {either[-1].shape} in the other; both "
                    "must be of one architecture and vocabulary."
                )
            specs[name] = TensorSpec(either[0].shape, torch.promote_types(either[0].dtype, either[-1].dtype))
        changes: dict[str, JsonValue] = {**first.config_changes, **second.config_changes}
        dtypes = {spec.dtype for spec in specs.values()}
        if dtypes != {spec.dtype for spec in first.specs.values()} and len(dtypes) == 1:
            changes["dtype"] = str(dtypes.pop()).removeprefix("torch.")
        if set(specs) != set(first.specs):
            changes["tie_word_embeddings"] = False
        self.specs: Mapping[str, TensorSpec] = specs
        self.config_changes: Mapping[str, JsonValue] = changes

    def has(self, name: str) -> bool:
        """Return True if both have it."""
        return self._first.has(name) and self._second.has(name)

    def read(self, name: str) -> torch.Tensor:
        """Return the blend of the two tensors, rounded; integer tensors must be equal in both."""
        first, second, dtype = self._first.read(name), self._second.read(name), self.specs[name].dtype
        if not dtype.is_floating_point:
            if not first.equal(second):
                raise MedctxError(
                    f"The tensor {name} holds {dtype} and differs between the models; it cannot be averaged."
                )
            return first
        return blend(first, second, self._t, dtype)


class RestoredSource:
    """A tuned checkpoint in which the ``chosen`` tensors are those of its base."""

    def __init__(self, tuned: StoredSource, base: StoredSource, chosen: Collection[str]) -> None:
        self._tuned, self._base, self._chosen = tuned, base, frozenset(chosen)
        self.specs = tuned.specs
        self.config_changes: Mapping[str, JsonValue] = {}
        for name in chosen:
            if not base.has(name) or base.specs[name].shape != tuned.specs[name].shape:
                raise MedctxError(
                    f"The base {base.folder} has no {name} of shape {tuned.specs[name].shape}; set base to the model "
                    f"that {tuned.folder} was tuned from."
                )

    def has(self, name: str) -> bool:
        """Return True if the tuned checkpoint has it."""
        return self._tuned.has(name)

    def read(self, name: str) -> torch.Tensor:
        """Return the tensor of the base or of the tuned checkpoint."""
        return (self._base if name in self._chosen else self._tuned).read(name)
