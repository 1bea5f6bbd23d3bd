"""Packing and its self-test on the embedded model and on sentences of real length."""

from __future__ import annotations

import pytest
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from medctx.model.base import prepare_base
from medctx.model.embedded import EMBEDDED
from medctx.schemas.records import Dialogue, Turn
from medctx.text import tokenizer
from medctx_train.data.packing import PackedRow
from medctx_train.data.tokenize import encode
from medctx_train.model.load import load_model
from medctx_train.model.packing_check import check_packing

pytestmark = pytest.mark.slow

ANSWERS = (
    ("Which organ makes insulin?", "Insulin is made by the beta cells of the pancreas."),
    ("What is hypertension?", "Hypertension is a blood pressure that stays too high, usually above 140 over 90."),
    ("Name the largest bone of the body.", "The largest bone of the human body is the femur, in the thigh."),
    ("Write a line about the sea.", "The sea is grey this morning and speaks to nobody."),
)

AttentionInterface.register("medctx_leaking_real", sdpa_attention_forward)


@pytest.fixture(scope="module")
def row() -> PackedRow:
    tokens = tokenizer.load_tokenizer(prepare_base(EMBEDDED)[0])
    talks = [
        Dialogue(
            id=question,
            domain="medical",
            source="s",
            turns=(Turn(role="user", content=question), Turn(role="assistant", content=answer)),
        )
        for question, answer in ANSWERS
    ]
    return PackedRow(tuple(encode(tokens, talk)[0] for talk in talks))


def test_the_embedded_model_may_be_packed(row: PackedRow) -> None:
    folder, _ = prepare_base(EMBEDDED)
    for precision, gap in (("fp32", 1e-4), ("bf16", 0.05)):
        check = check_packing(load_model(folder, precision), [row])
        assert check.problem == ""
        assert check.gap < gap


def test_a_leak_is_seen_in_half_precision(row: PackedRow) -> None:
    folder, _ = prepare_base(EMBEDDED)
    assert "influence each other" in check_packing(load_model(folder, attention="medctx_leaking_real"), [row]).problem
