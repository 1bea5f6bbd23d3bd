"""Whether logits are float32 or of half precision: made so in the reference, and told from a server's answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray

from medctx_eval.engines.probe import TOP, are_float32
from medctx_eval.run import modes

torch = pytest.importorskip("torch")
head = pytest.importorskip("medctx_eval.engines.head")


def logprobs(logits: NDArray[np.float32]) -> list[float]:
    """Of the first TOP tokens, as a server gives them: computed and said in float32."""
    shifted = logits - logits.max()
    return [float(logit) for logit in (shifted - np.log(np.exp(shifted).sum(dtype=np.float32)))[:TOP]]


def drawn(seed: int, spread: float, centre: float) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(centre, spread, 4_000).astype(np.float32)


@given(some.integers(0, 10_000), some.floats(1, 8), some.floats(-15, 20))
def test_logits_of_half_precision_are_told_from_float32(seed: int, spread: float, centre: float) -> None:
    logits = drawn(seed, spread, centre)
    assert are_float32(logprobs(logits)) is True
    for kind in (torch.bfloat16, torch.float16):
        assert are_float32(logprobs(torch.from_numpy(logits).to(kind).float().numpy())) is False


def test_too_few_different_values_tell_nothing() -> None:
    assert are_float32([]) is None
    assert are_float32([-0.03, *[-9.2] * 19]) is None


@pytest.fixture
def half(tiny: Path) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.bfloat16).eval()


def test_a_half_precision_model_gets_float32_logits_of_its_own_hidden_states(half: torch.nn.Module) -> None:
    ids = torch.arange(20)[None]
    with torch.no_grad():
        hidden = half.model(input_ids=ids).last_hidden_state
        coarse = half(input_ids=ids).logits
        assert head.use_float32_head(half)
        sharp = half(input_ids=ids).logits
    assert coarse.dtype is torch.bfloat16
    assert sharp.dtype is torch.float32
    exact = hidden.double() @ half.get_input_embeddings().weight.double().T
    if half.config.tie_word_embeddings:
        assert torch.allclose(sharp.double(), exact, atol=1e-5)
    assert (sharp - coarse.float()).abs().max() > 0
    assert head.use_float32_head(half), "a second time changes nothing"


def test_the_stored_weights_stay_as_they_are_and_tied(half: torch.nn.Module) -> None:
    before = half.lm_head.weight
    head.use_float32_head(half)
    assert half.get_output_embeddings().weight is before
    assert half.get_input_embeddings().weight.dtype is torch.bfloat16
    assert (half.get_input_embeddings().weight is before) == half.config.tie_word_embeddings


def test_a_float32_model_is_fine_already(tiny: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    before = model.get_output_embeddings()
    assert head.use_float32_head(model)
    assert model.get_output_embeddings() is before


def test_a_head_that_is_no_plain_matrix_is_left_and_said(half: torch.nn.Module) -> None:
    class Quantised(torch.nn.Linear):
        pass

    other = Quantised(4, 4)
    half.set_output_embeddings(other)
    assert not head.use_float32_head(half)
    assert half.get_output_embeddings() is other


def test_the_reference_says_that_its_logits_are_float32(tiny: Path) -> None:
    from medctx_eval.engines.transformers import TransformersEngine

    engine = TransformersEngine.load(tiny)
    assert engine.float32_logits
    assert modes.means(engine)["logits"] == "float32"
