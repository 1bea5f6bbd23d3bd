"""The self-test of packing: every leak is found, in any precision, and rounding never counts as one."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from medctx.errors import MedctxError
from medctx.text import tokenizer
from medctx_train.data.packing import PackedRow
from medctx_train.data.tokenize import EncodedSample, encode
from medctx_train.model.attention import attention_implementation
from medctx_train.model.config import Attention
from medctx_train.model.load import load_model
from medctx_train.model.packing_check import check_packing, spread_rows
from medctx_train.sft.setup import decide_packing
from tests.support.made_training import dialogue
from tests.support.tiny_architectures import LEAKING, QWEN3_NEXT, SEPARATING, SIZES, tiny_model

PRECISIONS = [torch.float32, torch.bfloat16]
BACKENDS = ["eager", "sdpa"]
compiled = pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler")
flex = pytest.param("flex_attention", marks=[compiled, pytest.mark.slow])

# An attention function that transformers knows no mask for gets none: causal over the whole row, across samples.
AttentionInterface.register("medctx_leaking", sdpa_attention_forward)


@pytest.fixture(scope="module")
def rows(tiny: Path) -> list[PackedRow]:
    tokens = tokenizer.load_tokenizer(tiny)
    return [PackedRow(tuple(encode(tokens, dialogue(n + 4 * number, 2))[0] for n in range(4))) for number in range(5)]


def made_row(lengths: tuple[int, ...] = (12, 9, 15, 7), answer: int = 1) -> PackedRow:
    """Samples of arbitrary tokens of which the last ``answer`` carry loss, as short answers do."""
    return PackedRow(
        tuple(
            EncodedSample(
                id=f"s{number}",
                source="made",
                ids=tuple((number * 37 + place * 11) % 240 + 5 for place in range(length)),
                carries_loss=tuple(place >= length - answer for place in range(length)),
            )
            for number, length in enumerate(lengths)
        )
    )


def sharp(folder: Path, attention: str) -> PreTrainedModel:
    """Weights large enough for attention to matter in a model that was never trained."""
    model = load_model(folder, "fp32", attention=attention)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    return model


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("name", SEPARATING)
def test_architectures_that_keep_samples_apart_pass(name: str, dtype: torch.dtype) -> None:
    check = check_packing(tiny_model(name, SEPARATING[name], dtype), [made_row()])
    assert check.problem == ""
    assert check.gap < (1e-4 if dtype == torch.float32 else 0.03)


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("name", LEAKING)
def test_architectures_whose_samples_influence_each_other_are_found(name: str, dtype: torch.dtype) -> None:
    model = tiny_model(*LEAKING[name], dtype)
    check = check_packing(model, [made_row()])
    assert check.problem.startswith(f"{type(model).__name__} lets packed samples influence each other: ")


@cache
def llama(seed: int) -> PreTrainedModel:
    return tiny_model("llama", SIZES, torch.bfloat16, seed)


@cache
def qwen3_next(seed: int) -> PreTrainedModel:
    return tiny_model("qwen3_next", QWEN3_NEXT, seed=seed)


@given(lengths=st.lists(st.integers(2, 40), min_size=2, max_size=6), seed=st.integers(0, 3))
@examples(deadline=None, max_examples=15)
def test_no_row_of_short_answers_raises_a_false_alarm_in_half_precision(lengths: list[int], seed: int) -> None:
    row = made_row(tuple(lengths))
    assert check_packing(llama(seed), [row]).problem == ""


@given(lengths=st.lists(st.integers(2, 40), min_size=2, max_size=6), seed=st.integers(0, 3))
@examples(deadline=None, max_examples=15)
def test_no_row_hides_the_state_of_a_linear_attention(lengths: list[int], seed: int) -> None:
    row = made_row(tuple(lengths))
    assert "influence each other" in check_packing(qwen3_next(seed), [row]).problem


@pytest.mark.parametrize("backend", [*BACKENDS, flex])
def test_attention_backends_pass(tiny: Path, rows: list[PackedRow], backend: str) -> None:
    check = check_packing(sharp(tiny, backend), rows)
    assert check.problem == ""
    assert check.gap < 1e-4


@pytest.mark.gpu
@pytest.mark.parametrize("attention", ["flash", "flex", "sdpa"])
def test_attention_backends_pass_on_a_gpu(tiny: Path, rows: list[PackedRow], attention: Attention) -> None:
    model = load_model(tiny, "bf16", attention=attention_implementation(attention)).to("cuda")
    assert check_packing(model, rows).problem == ""


def test_attention_without_a_mask_is_found_and_the_sample_named(tiny: Path, rows: list[PackedRow]) -> None:
    problem = check_packing(sharp(tiny, "medctx_leaking"), rows).problem
    named = re.search(r"sample 'd(\d+)' change", problem)
    # The first sample of each row of four has none before it.
    assert named and int(named[1]) % 4


def straighten_positions(model: PreTrainedModel) -> None:
    """Let the model count positions through the whole row, which also hides where samples begin."""

    def count_through(_module: object, _args: object, inputs: dict[str, torch.Tensor]) -> tuple[object, object]:
        positions = torch.arange(inputs["input_ids"].shape[1])[None]
        return (), {**inputs, "position_ids": positions}

    model.base_model.register_forward_pre_hook(count_through, with_kwargs=True)


@pytest.mark.parametrize("backend", [*BACKENDS, flex])
def test_positions_that_hide_the_boundaries_are_found(tiny: Path, rows: list[PackedRow], backend: str) -> None:
    model = sharp(tiny, backend)
    straighten_positions(model)
    assert "influence each other" in check_packing(model, rows).problem


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_positions_counted_through_the_row_are_found_without_a_leak(dtype: torch.dtype) -> None:
    """Learned positions added to the embeddings: attention still keeps the samples apart."""
    model = tiny_model("gpt2", SEPARATING["gpt2"], dtype)
    table = model.transformer.wpe

    def count_through(_module: object, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (torch.arange(args[0].shape[1])[None],)

    table.register_forward_pre_hook(count_through)
    assert "computes packed samples differently" in check_packing(model, [made_row()]).problem


def add_noise(model: PreTrainedModel, size: float) -> None:
    """Let hidden states depend slightly on all tokens of the row, as rounding in mixtures of experts does."""

    def disturb(_module: object, _args: object, inputs: dict[str, torch.Tensor], output: object) -> object:
        hidden = output.last_hidden_state  # type: ignore[attr-defined]
        generator = torch.Generator().manual_seed(int(inputs["input_ids"].sum()))
        noise = torch.randn(hidden.shape, generator=generator)
        output.last_hidden_state = hidden + size * hidden.std() * noise  # type: ignore[attr-defined]
        return output

    model.base_model.register_forward_hook(disturb, with_kwargs=True)


def test_rounding_that_depends_on_other_tokens_is_no_leak() -> None:
    model = tiny_model("mixtral", SEPARATING["mixtral"], torch.bfloat16)
    add_noise(model, 0.01)
    assert check_packing(model, [made_row()]).problem == ""


@pytest.mark.parametrize("name", ["qwen3_next", "mamba", "falcon-alibi"])
def test_a_leak_is_found_below_such_rounding(name: str) -> None:
    model = tiny_model(*LEAKING[name], torch.bfloat16)
    add_noise(model, 0.001)
    assert "influence each other" in check_packing(model, [made_row()]).problem


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_attention_that_looks_ahead_is_found(dtype: torch.dtype) -> None:
    sizes = {**SIZES, "is_decoder": False}
    assert "influence each other" in check_packing(tiny_model("bert", sizes, dtype), [made_row()]).problem


def test_a_model_that_computes_no_numbers_does_not_pass() -> None:
    model = tiny_model("llama", SIZES)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.fill_(torch.nan)
    assert check_packing(model, [made_row()]).problem


def test_several_rows_are_tested_spread_over_the_data(rows: list[PackedRow]) -> None:
    alone = [PackedRow(row.members[:1]) for row in rows]
    longer = PackedRow((*rows[0].members, *rows[1].members))
    assert spread_rows([*alone, *rows, longer], 3) == [longer, rows[0], rows[2]]
    assert spread_rows(alone) == []


def test_rows_of_one_sample_need_no_test() -> None:
    assert check_packing(tiny_model("mamba", SIZES), [made_row((9,))]) == (0.0, "")


def test_packing_is_decided_by_the_test_or_refused_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    leaking, good = tiny_model("qwen3_next", QWEN3_NEXT), tiny_model("llama", SIZES)
    rows = [made_row()]
    assert decide_packing(leaking, rows, "auto") == (False, 0.0)
    assert "samples are processed one by one, which is slower" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(MedctxError, match="set packing=auto or packing=off to process samples one by one"):
        decide_packing(leaking, rows, "on")
    assert decide_packing(good, rows, "on") == decide_packing(good, rows, "auto")
    assert decide_packing(good, rows, "auto")[0]
    assert decide_packing(good, rows, "off") == (False, 0.0)
