"""What a low-rank update does to a weight matrix: plain LoRA, rsLoRA and DoRA, in float32.

LoRA (arXiv 2106.09685) adds ``scaling * b @ a`` with ``scaling = alpha / rank``; rsLoRA (arXiv 2312.03732) the same
with ``alpha / sqrt(rank)``. DoRA (arXiv 2402.09353) sets the length of each row of the sum anew:
``magnitude / |w + scaling * b @ a| * (w + scaling * b @ a)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medctx.errors import MedctxError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Pair:
    """The update of one module.

    ``a``: (rank, inputs); ``b``: (outputs, rank); ``magnitude``: (outputs,) under DoRA, else nothing. The weight of an
    ``embedding`` is (inputs, outputs), of other modules (outputs, inputs).
    """

    a: torch.Tensor
    b: torch.Tensor
    scaling: float
    magnitude: torch.Tensor | None = None
    embedding: bool = False


def update(pair: Pair) -> torch.Tensor:
    """``scaling * b @ a`` in float32, in the shape of the module's weight."""
    product: torch.Tensor = pair.scaling * (pair.b.float() @ pair.a.float())
    return product.T if pair.embedding else product


def _ratio(moved: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """The factor DoRA gives each row of ``moved``, shape (outputs, 1)."""
    length: torch.Tensor = moved.norm(dim=1, keepdim=True)
    return magnitude.float()[:, None] / length


def merged(weight: torch.Tensor, pair: Pair) -> torch.Tensor:
    """The weight the module acts with, in float32."""
    moved = weight.float() + update(pair)
    return moved if pair.magnitude is None else _ratio(moved, pair.magnitude) * moved


def scaled(pair: Pair, alpha: float, weight: torch.Tensor | None) -> Pair:
    """The pair whose module acts with ``weight + alpha * (merged - weight)``; ``weight`` is needed under DoRA only.

    Without DoRA ``alpha`` goes into ``b``. Under DoRA scaling ``b`` would leave the magnitude's share of the change
    as it is. With q = magnitude / |w + s b a| (by row) the wanted weight is

        w + alpha (q (w + s b a) - w)  =  c (w + s b' a),   c = 1 + alpha (q - 1),   b' = alpha q / c * b,

    which is DoRA again, of magnitude c |w + s b' a|: exact, and the base itself at 0.
    """
    if alpha == 1:
        return pair
    if pair.magnitude is None:
        return replace(pair, b=alpha * pair.b.float())
    if weight is None:
        raise ValueError("the weight is needed under DoRA")
    ratio = _ratio(weight.float() + update(pair), pair.magnitude)
    share = 1 + alpha * (ratio - 1)
    if bool((share.abs() < 1e-6).any()):
        raise MedctxError(
            f"At alpha {alpha:g} a row of this DoRA adapter has no length left, which no DoRA adapter can express; "
            "choose another alpha, or write=model."
        )
    shorter = replace(pair, b=alpha * ratio / share * pair.b.float())
    length = (weight.float() + update(shorter)).norm(dim=1)
    return replace(shorter, magnitude=share[:, 0] * length)
