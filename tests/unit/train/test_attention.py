"""Packed samples do not see each other, and a run whose attention lets them is stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from medctx.errors import MedctxError
from medctx.text import tokenizer
from medctx_train.data.packing import PackedRow
from medctx_train.data.tokenize import encode
from medctx_train.model import attention
from medctx_train.model.attention import attention_implementation, packing_gap, packing_self_test, spread_rows
from medctx_train.model.config import Attention
from medctx_train.model.load import load_model
from tests.support.made_training import dialogue

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BACKENDS = ["eager", "sdpa"]
compiled = pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler")

# An attention function that transformers knows no mask for gets none: causal over the whole row, across samples.
AttentionInterface.register("medctx_leaking", sdpa_attention_forward)


@pytest.fixture(scope="module")
def rows(tiny: Path) -> list[PackedRow]:
    tokens = tokenizer.load(tiny)
    return [PackedRow(tuple(encode(tokens, dialogue(n + 4 * number, 2))[0] for n in range(4))) for number in range(5)]


def sharp(folder: Path, attention: str) -> PreTrainedModel:
    """Weights large enough for attention to matter in a model that was never trained."""
    model = load_model(folder, "fp32", attention=attention)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    return model


@pytest.mark.parametrize("backend", [*BACKENDS, pytest.param("flex_attention", marks=[compiled, pytest.mark.slow])])
def test_packed_loss_is_unpacked_loss(tiny: Path, rows: list[PackedRow], backend: str) -> None:
    assert packing_self_test(sharp(tiny, backend), rows, 1e-3) < 1e-3


@pytest.mark.gpu
@pytest.mark.parametrize("wanted", ["flash", "flex", "sdpa"])
def test_packed_loss_is_unpacked_loss_on_a_gpu(tiny: Path, rows: list[PackedRow], wanted: Attention) -> None:
    model = load_model(tiny, "bf16", attention=attention_implementation(wanted)).to("cuda")
    assert packing_self_test(model, rows, 0.1) < 0.1


def test_attention_without_a_mask_stops_the_run(tiny: Path, rows: list[PackedRow]) -> None:
    with pytest.raises(MedctxError, match=r"attend to each other: the loss of sample 'd\d+' differs by \d"):
        packing_self_test(sharp(tiny, "medctx_leaking"), rows, 0.1)


@pytest.mark.parametrize("backend", [*BACKENDS, pytest.param("flex_attention", marks=[compiled, pytest.mark.slow])])
def test_positions_that_hide_the_boundaries_stop_the_run(tiny: Path, rows: list[PackedRow], backend: str) -> None:
    model = sharp(tiny, backend)

    class Leaking(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = model.lm_head

        def forward(self, position_ids: torch.Tensor, **inputs: object) -> object:
            straight = torch.arange(position_ids.shape[1])[None]
            return model(position_ids=straight, **inputs)

    with pytest.raises(MedctxError, match="Packed samples attend to each other"):
        packing_self_test(Leaking(), rows, 0.1)


def test_a_gap_names_its_sample(tiny: Path, rows: list[PackedRow]) -> None:
    nats, sample = packing_gap(sharp(tiny, "medctx_leaking"), rows[0])
    # The first of a row has nobody before it.
    assert nats > 0.1
    assert sample in {"d1", "d2", "d3"}


def test_several_rows_are_tested_spread_over_the_data(rows: list[PackedRow]) -> None:
    alone = [PackedRow(row.members[:1]) for row in rows]
    longer = PackedRow((*rows[0].members, *rows[1].members))
    assert spread_rows([*alone, *rows, longer], 3) == [longer, rows[0], rows[2]]
    assert spread_rows(alone) == []


def test_without_a_gpu_flash_is_refused_and_auto_is_sdpa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert attention_implementation("auto") == attention_implementation("sdpa") == "sdpa"
    with pytest.raises(MedctxError, match="attention=flash needs an NVIDIA GPU"):
        attention_implementation("flash")
    with pytest.raises(MedctxError, match="no gradients on a CPU"):
        attention_implementation("flex")


def test_with_a_gpu_auto_takes_the_package_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(attention, "find_spec", lambda name: name == "flash_attn" or None)
    assert attention_implementation("auto") == attention_implementation("flash") == "flash_attention_2"
    assert attention_implementation("flex") == "flex_attention"
    monkeypatch.setattr(attention, "find_spec", lambda _: None)
    assert attention_implementation("auto") == "sdpa"
    with pytest.raises(MedctxError, match="needs the package flash-attn"):
        attention_implementation("flash")
