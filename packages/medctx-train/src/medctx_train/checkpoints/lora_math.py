r"""What a low-rank update does to a weight matrix: LoRA, rsLoRA and DoRA, computed in float32.

LoRA (arXiv 2106.09685) adds ``scaling * b @ a`` to the weight, with ``scaling = alpha / rank``; rsLoRA (arXiv
2312.03732) uses ``scaling = alpha / sqrt(rank)``. DoRA (arXiv 2402.09353) rescales each row of the sum to a trained
norm: ``magnitude / |w + scaling * b @ a| * (w + scaling * b @ a)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medctx.errors import MedctxError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class LoraPair:
    """The update of one module.

    Attributes:
        a: Shape (rank, inputs).
        b: Shape (outputs, rank).
        scaling: Factor of ``b @ a``.
        magnitude: DoRA's norms, shape (outputs,); None without DoRA.
        embedding: True if the module is an embedding, whose weight has shape (inputs, outputs) instead of (outputs,
            inputs).
    """

    a: torch.Tensor
    b: torch.Tensor
    scaling: float
    magnitude: torch.Tensor | None = None
    embedding: bool = False


def low_rank_update(pair: LoraPair) -> torch.Tensor:
    """Return ``scaling * b @ a`` in float32, in the shape of the module's weight."""
    product: torch.Tensor = pair.scaling * (pair.b.float() @ pair.a.float())
    return product.T if pair.embedding else product


def _row_ratio(updated: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """Return the factor that DoRA applies to each row of ``updated``, shape (outputs, 1)."""
    norm: torch.Tensor = updated.norm(dim=1, keepdim=True)
    return magnitude.float()[:, None] / norm


def merged_weight(weight: torch.Tensor, pair: LoraPair) -> torch.Tensor:
    """Return the weight with the update merged into it, in float32."""
    updated = weight.float() + low_rank_update(pair)
    return updated if pair.magnitude is None else _row_ratio(updated, pair.magnitude) * updated


def scale_pair(pair: LoraPair, alpha: float, weight: torch.Tensor | None) -> LoraPair:
    """Return the pair that merges to ``weight + alpha * (merged - weight)``.

    Without DoRA, ``alpha`` multiplies ``b``. Under DoRA, scaling ``b`` alone would keep the magnitude's part of the
    change. With q = magnitude / |w + s b a| (by row) the wanted weight is

        w + alpha (q (w + s b a) - w)  =  c (w + s b' a),   c = 1 + alpha (q - 1),   b' = alpha q / c * b,

    which is DoRA with magnitude c |w + s b' a|: exact, and the base itself at alpha = 0.

    Args:
        pair: The pair to scale.
        alpha: Factor of the change, in [0, 1].
        weight: The base's weight, needed under DoRA only.

    Raises:
        MedctxError: If a row vanishes at this ``alpha``, which DoRA cannot express.
    """
    if alpha == 1:
        return pair
    if pair.magnitude is None:
        return replace(pair, b=alpha * pair.b.float())
    if weight is None:
        raise ValueError("the weight is needed under DoRA")
    ratio = _row_ratio(weight.float() + low_rank_update(pair), pair.magnitude)
    share = 1 + alpha * (ratio - 1)
    if bool((share.abs() < 1e-6).any()):
        raise MedctxError(
            f"At alpha={alpha:g} a row of this DoRA adapter becomes 0, which no DoRA adapter can express; "
            "choose another alpha, or write=model."
        )
    scaled = replace(pair, b=alpha * ratio / share * pair.b.float())
    norm = (weight.float() + low_rank_update(scaled)).norm(dim=1)
    return replace(scaled, magnitude=share[:, 0] * norm)
