"""The loss of a row: by chunks as by whole logits, and never all logits at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoModelForCausalLM, CohereConfig, Gemma2Config, GraniteConfig, PreTrainedConfig

from medctx_train.data.packing import PackedRow, row_tensors
from medctx_train.data.tokenize import EncodedSample
from medctx_train.model import loss
from medctx_train.model.load import load_model
from medctx_train.model.loss import (
    chunk_losses,
    chunking_gap,
    restore_logits,
    row_losses,
    token_weight,
    total_weight,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SIZES = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "pad_token_id": 0,
}


def row_of(*lengths: int, every: int = 2) -> PackedRow:
    """Samples of arbitrary tokens; of each ``every``-th token the loss is taken."""
    return PackedRow(
        tuple(
            EncodedSample(
                id=str(number),
                source="s",
                ids=tuple((number * 37 + place * 11) % 500 + 4 for place in range(length)),
                carries_loss=tuple(place % every == 0 for place in range(length)),
            )
            for number, length in enumerate(lengths)
        )
    )


def gradients(model: PreTrainedModel, row: PackedRow) -> dict[str, torch.Tensor]:
    model.zero_grad()
    row_losses(model, row_tensors(row)).sum().backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


@pytest.fixture(scope="module")
def model(tiny: Path) -> PreTrainedModel:
    return load_model(tiny, "fp32")


@given(lengths=st.lists(st.integers(2, 30), min_size=1, max_size=4), chunk=st.integers(1, 70))
@examples(deadline=None, max_examples=20)
def test_losses_and_gradients_by_chunks_are_those_of_whole_logits(
    model: PreTrainedModel, lengths: list[int], chunk: int
) -> None:
    row = row_of(*lengths)
    whole, expected = row_losses(model, row_tensors(row)), gradients(model, row)
    chunk_losses(model, chunk)
    chunked, result = row_losses(model, row_tensors(row)), gradients(model, row)
    restore_logits(model)
    torch.testing.assert_close(chunked, whole)
    assert expected.keys() == result.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(result[name], gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        Gemma2Config(**SIZES, final_logit_softcapping=2.0),
        GraniteConfig(**SIZES, logits_scaling=8.0),
        CohereConfig(**{**SIZES, "num_key_value_heads": 2}, logit_scale=0.0625),
    ],
    ids=lambda config: config.model_type,
)
def test_caps_and_scales_behind_the_head_are_kept(config: PreTrainedConfig) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    for weight in model.parameters():
        weight.data.mul_(4)
    chunk_losses(model, 8)
    assert chunking_gap(model, row_of(20, 9)) < 1e-4


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes, in elements."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        made = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.elements = max([self.elements, *made])
        return out


def largest(model: PreTrainedModel, row: PackedRow) -> int:
    with Largest() as seen:
        row_losses(model, row_tensors(row)).sum().backward()
    return seen.elements


def test_no_tensor_holds_the_logits_of_a_whole_row() -> None:
    """A vocabulary of 20,000 over 1,000 loss tokens: whole logits are 20 million numbers, chunks of 16 never over
    0.7."""
    torch.manual_seed(0)
    config = Gemma2Config(**{**SIZES, "vocab_size": 20_000}, final_logit_softcapping=None)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    row = row_of(1001, every=1)
    head = 20_000 * SIZES["hidden_size"]
    assert largest(model, row) == 1000 * 20_000
    chunk_losses(model, 16)
    # What remains is the attention's mask (1,001 x 1,001) and the head's own weight; a chunk of logits is 320,000.
    assert largest(model, row) <= max(1001 * 1001, head)


def test_few_logits_are_computed_once_and_many_again_in_the_backward_pass(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, calls = row_of(21, 20), []
    hook = model.get_output_embeddings().register_forward_hook(lambda *_: calls.append(1))
    chunk_losses(model, 64)
    kept = gradients(model, row)
    assert len(calls) == 1
    restore_logits(model)
    monkeypatch.setattr(loss, "_KEPT_LOGITS", 512)
    chunk_losses(model, 64)
    computed_again = gradients(model, row)
    assert len(calls) == 1 + 2
    restore_logits(model)
    hook.remove()
    assert kept and kept.keys() == computed_again.keys()
    assert all(torch.equal(gradient, computed_again[name]) for name, gradient in kept.items())


def test_a_row_without_answers_has_no_loss(model: PreTrainedModel) -> None:
    chunk_losses(model, 8)
    assert row_losses(model, row_tensors(row_of(1, 1))).shape == (0,)
    restore_logits(model)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_weights_of_a_step_add_up_to_one(lengths: list[int]) -> None:
    rows = [row_of(*lengths), row_of(5)]
    members = [member for row in rows for member in row.members]
    for weighting in ("token", "sample"):
        total = sum(token_weight(member, weighting) * member.loss_tokens for member in members)
        assert total == pytest.approx(total_weight(rows, weighting))


def test_by_sample_a_short_answer_weighs_as_much_as_a_long_one() -> None:
    long, short = row_of(40, 5).members
    weights = [token_weight(sample, "sample") * sample.loss_tokens for sample in (long, short)]
    assert weights == [pytest.approx(1.0)] * 2
