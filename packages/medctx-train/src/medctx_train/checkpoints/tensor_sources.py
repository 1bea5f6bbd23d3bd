"""Checkpoints computed tensor by tensor from others: base and adapter merged, two blended, some tensors put back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.lora_math import merged
from medctx_train.checkpoints.sharded import Form, Source, Stored

if TYPE_CHECKING:
    import torch

_CHUNK = 2**24


class Merged:
    """A base with the pairs of an adapter added. Each must belong to a stored matrix of its shape.

    Where the head is the embedding and the adapter changes one of the two, they are two tensors from then on: the
    merged model does what the adapter did.
    """

    def __init__(self, base: Stored, adapter: Adapter) -> None:
        self._base = base
        self._pairs = {f"{module}.weight": pair for module, pair in adapter.pairs.items()}
        ends = {name for both in base.tied.items() for name in both}
        parted = bool(ends & self._pairs.keys())
        positions = adapter.positions.model_dump(mode="json") if adapter.positions else {}
        self.changes: Mapping[str, JsonValue] = {**positions, **({"tie_word_embeddings": False} if parted else {})}
        forms = dict(base.forms)
        for name, original in base.tied.items() if parted else ():
            forms.setdefault(name, base.forms[original])
        self.forms: Mapping[str, Form] = forms
        for name, pair in self._pairs.items():
            shape = (pair.b.shape[0], pair.a.shape[1])
            wanted = shape[::-1] if pair.embedding else shape
            if name not in forms or forms[name].shape != wanted:
                found = forms[name].shape if name in forms else "nothing"
                raise MedctxError(
                    f"The adapter changes {name} of shape {wanted}, but {base.folder} has {found} there; name the base "
                    "it was trained on."
                )
        for name, copy in adapter.copies.items():
            if not (base.has(name) and copy.float().equal(base.read(name).float())):
                raise MedctxError(
                    f"The adapter {adapter.folder} brings a {name} of its own that is not that of {base.folder}; name "
                    "the base it was trained on, with the same vocabulary."
                )

    def has(self, name: str) -> bool:
        """Whether the base has it."""
        return self._base.has(name)

    def read(self, name: str) -> torch.Tensor:
        """The base's tensor, or the sum in float32 where the adapter changes it."""
        weight = self._base.read(name)
        pair = self._pairs.get(name)
        return weight if pair is None else merged(weight, pair)


def blend(first: torch.Tensor, second: torch.Tensor, t: float, dtype: torch.dtype) -> torch.Tensor:
    """``(1 - t) * first + t * second``, computed in float32 and rounded once to ``dtype``; the ends are exact."""
    import torch

    if t in (0, 1):
        return (second if t else first).to(dtype)
    mixed = torch.empty(first.shape, dtype=dtype)
    flat, one, other = mixed.view(-1), first.reshape(-1), second.reshape(-1)
    for begin in range(0, flat.numel(), _CHUNK):
        piece = slice(begin, begin + _CHUNK)
        flat[piece] = (1 - t) * one[piece].float() + t * other[piece].float()
    return mixed


class Blend:
    """``(1 - t) * first + t * second`` of two checkpoints of one shape (WiSE-FT, arXiv 2109.01903); ``t`` in [0, 1].

    Where their precisions differ the wider one is kept.
    """

    def __init__(self, first: Source, second: Source, t: float) -> None:
        import torch

        self._first, self._second, self._t = first, second, t
        self.forms: Mapping[str, Form] = {}
        for name in (*first.forms, *(name for name in second.forms if name not in first.forms)):
            forms = [one.forms[name] for one in (first, second) if name in one.forms]
            if not (first.has(name) and second.has(name)):
                raise MedctxError(f"Only one of the models has the tensor {name}; both must be of one architecture.")
            if forms[0].shape != forms[-1].shape:
                raise MedctxError(
                    f"The tensor {name} is {forms[0].shape} in one model and {forms[-1].shape} in the other; both must "
                    "be of one architecture and vocabulary."
                )
            self.forms[name] = Form(forms[0].shape, torch.promote_types(forms[0].dtype, forms[-1].dtype))
        self.changes: Mapping[str, JsonValue] = {**first.changes, **second.changes}
        kinds = {form.dtype for form in self.forms.values()}
        if kinds != {form.dtype for form in first.forms.values()} and len(kinds) == 1:
            self.changes = {**self.changes, "dtype": str(kinds.pop()).removeprefix("torch.")}
        if set(self.forms) != set(first.forms):
            self.changes = {**self.changes, "tie_word_embeddings": False}

    def has(self, name: str) -> bool:
        """Whether both have it."""
        return self._first.has(name) and self._second.has(name)

    def read(self, name: str) -> torch.Tensor:
        """The blend of the two tensors, rounded; numbers that are not real must be the same in both."""
        first, second, dtype = self._first.read(name), self._second.read(name), self.forms[name].dtype
        if not dtype.is_floating_point:
            if not first.equal(second):
                raise MedctxError(f"The tensor {name} holds {dtype} and differs between the models; it has no mean.")
            return first
        return blend(first, second, self._t, dtype)


class Restored:
    """A tuned checkpoint in which the ``chosen`` tensors are those of its base."""

    def __init__(self, tuned: Stored, base: Stored, chosen: Collection[str]) -> None:
        self._tuned, self._base, self._chosen = tuned, base, frozenset(chosen)
        self.forms = tuned.forms
        self.changes: Mapping[str, JsonValue] = {}
        for name in chosen:
            if not base.has(name) or base.forms[name].shape != tuned.forms[name].shape:
                raise MedctxError(
                    f"The base {base.folder} has no {name} of shape {tuned.forms[name].shape}; name the base that "
                    f"{tuned.folder} was tuned from."
                )

    def has(self, name: str) -> bool:
        """Whether the tuned checkpoint has it."""
        return self._tuned.has(name)

    def read(self, name: str) -> torch.Tensor:
        """The tensor of the base or of the tuned checkpoint."""
        return (self._base if name in self._chosen else self._tuned).read(name)
