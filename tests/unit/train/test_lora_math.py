"""The arithmetic of low-rank updates, by itself."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx_train.checkpoints.lora_math import LoraPair, low_rank_update, merged_weight, scale_pair


def draw(seed: int, dora: bool) -> tuple[torch.Tensor, LoraPair]:
    random = torch.Generator().manual_seed(seed)
    weight, a, b = (torch.randn(*size, generator=random) for size in ((6, 5), (2, 5), (6, 2)))
    magnitude = 0.2 + 2 * torch.rand(6, generator=random) if dora else None
    return weight, LoraPair(a, b, scaling=0.7, magnitude=magnitude)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), alpha=st.floats(0, 1), dora=st.booleans())
def test_scaling_moves_the_weight_a_share_of_the_way(seed: int, alpha: float, dora: bool) -> None:
    weight, pair = draw(seed, dora)
    expected = weight + alpha * (merged_weight(weight, pair) - weight)
    result = merged_weight(weight, scale_pair(pair, alpha, weight))
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), dora=st.booleans())
def test_scaling_by_one_changes_no_bit_and_by_nothing_gives_the_base(seed: int, dora: bool) -> None:
    weight, pair = draw(seed, dora)
    assert scale_pair(pair, 1, weight) is pair
    torch.testing.assert_close(merged_weight(weight, scale_pair(pair, 0, weight)), weight, rtol=1e-5, atol=1e-6)


def test_under_dora_scaling_b_alone_is_wrong() -> None:
    weight, pair = draw(1, dora=True)
    naive = LoraPair(pair.a, 0.5 * pair.b, pair.scaling, pair.magnitude)
    expected = weight + 0.5 * (merged_weight(weight, pair) - weight)
    assert (merged_weight(weight, naive) - expected).abs().max() > 0.1


def test_a_row_without_length_is_refused_with_a_way_out() -> None:
    weight, pair = draw(1, dora=True)
    assert pair.magnitude is not None
    # A magnitude turned round: at half the way the row is its base's less as much again.
    turned = LoraPair(pair.a, pair.b, pair.scaling, -(weight + low_rank_update(pair)).norm(dim=1))
    with pytest.raises(MedctxError, match="write=model"):
        scale_pair(turned, 0.5, weight)
