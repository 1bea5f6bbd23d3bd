"""Attention of short rows against PyTorch's kernel."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.model.training_memory import SHORT_ROW
from medctx_train.model.short_attention import ShortAttention, _attention


def made(seed: int, tokens: int, groups: int, shared: int, size: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Queries, keys, values and the gradient of the result; and the mask of a row of up to three samples."""
    generator = torch.Generator().manual_seed(seed)
    heads = groups * shared
    shapes = [(1, tokens, heads, size), (1, tokens, groups, size), (1, tokens, groups, size)]
    tensors = [torch.randn(shape, generator=generator).transpose(1, 2) for shape in shapes]
    grad = torch.randn(1, tokens, heads, size, generator=generator)
    sample = torch.randint(0, 3, (tokens,), generator=generator).sort().values
    mask = (sample[:, None] == sample[None]) & torch.ones(tokens, tokens, dtype=torch.bool).tril()
    return [*tensors, grad], mask[None, None]


def by_pytorch(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
    shared = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale).transpose(1, 2)


def results(attention: object, tensors: list[torch.Tensor], mask: torch.Tensor) -> list[torch.Tensor]:
    q, k, v = (part.detach().clone().requires_grad_() for part in tensors[:3])
    output = attention(q, k, v, mask, 0.3)  # type: ignore[operator]
    return [output, *torch.autograd.grad(output, (q, k, v), tensors[3])]


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    tokens=st.integers(1, 40),
    groups=st.integers(1, 3),
    shared=st.integers(1, 3),
    size=st.integers(1, 24),
)
def test_result_and_gradients_are_those_of_pytorch_in_float32(
    seed: int, tokens: int, groups: int, shared: int, size: int
) -> None:
    tensors, mask = made(seed, tokens, groups, shared, size)
    expected = results(by_pytorch, tensors, mask)
    for mine, theirs in zip(results(ShortAttention.apply, tensors, mask), expected, strict=True):
        assert mine.shape == theirs.shape
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5 * max(1.0, float(theirs.abs().max())))


def test_bfloat16_is_as_near_to_float32_as_pytorch() -> None:
    tensors, mask = made(0, 256, 3, 3, 64)
    halves = [part.bfloat16() for part in tensors]
    truth = results(by_pytorch, [part.double() for part in halves], mask)

    def errors(rounded: list[torch.Tensor]) -> list[float]:
        return [float((a.double() - b).norm() / b.norm()) for a, b in zip(rounded, truth, strict=True)]

    ours, theirs = errors(results(ShortAttention.apply, halves, mask)), errors(results(by_pytorch, halves, mask))
    # Weights are rounded after they are normalised, in PyTorch before: half a unit of bfloat16 in the result.
    assert ours[0] <= 2**-8
    assert sum(ours[1:]) <= sum(theirs[1:])


def test_tokens_that_are_masked_out_leave_no_trace() -> None:
    tensors, mask = made(1, 64, 2, 2, 16)
    q, k, v = (part.bfloat16() for part in tensors[:3])
    last = int(mask[0, 0, -1].int().argmax())  # where the last sample begins
    other_k, other_v = k.clone(), v.clone()
    other_k[:, :, :last] += 3
    other_v[:, :, :last] *= -7
    before, after = (
        results(ShortAttention.apply, [q, *parts, q.transpose(1, 2)], mask)[0] for parts in ((k, v), (other_k, other_v))
    )
    assert 0 < last < 64
    assert torch.equal(before[:, last:], after[:, last:])


class _Module(torch.nn.Module):
    num_key_value_groups = 2
    is_causal = True


@pytest.mark.parametrize(("tokens", "dtype", "short"), [
    (32, torch.bfloat16, True), (SHORT_ROW, torch.bfloat16, True), (SHORT_ROW + 1, torch.bfloat16, False),
    (32, torch.float32, False),
])  # fmt: skip
def test_short_rows_in_bfloat16_alone_are_computed_so(tokens: int, dtype: torch.dtype, short: bool) -> None:
    tensors, mask = made(2, tokens, 1, 2, 8)
    q, k, v = (part.to(dtype).requires_grad_() for part in tensors[:3])
    for given_mask in (mask, None):
        output, _ = _attention(_Module(), q, k, v, given_mask, scaling=0.3)
        assert ("ShortAttention" in str(output.grad_fn)) == short
        used = torch.ones(tokens, tokens, dtype=torch.bool).tril() if given_mask is None else mask
        torch.testing.assert_close(output, by_pytorch(q, k, v, used, 0.3), rtol=0.05, atol=0.05)
