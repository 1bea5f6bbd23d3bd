"""Which tokens carry loss under chat templates that real models ship.

The templates are TRL's ``chat_templates/*.jinja``, unaltered copies of those in the model repositories its README
names, and SmolLM2's own from the embedded model. TRL's ``*_training.jinja`` mark the answers with ``{% generation
%}``, which transformers turns into a mask: another hand's word on the same question.
"""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medctx.model.base import prepare_base
from medctx.model.embedded import EMBEDDED
from medctx.schemas.records import Dialogue, Turn
from medctx.text import tokenizer
from medctx.text.rendering import render
from medctx_train.data.tokenize import encode
from tests.unit.train.test_tokenize import trained_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

pytest.importorskip("trl")

TALK = Dialogue(
    id="talk",
    domain="medical",
    source="s",
    turns=(
        Turn(role="user", content="Which organ makes insulin?"),
        Turn(role="assistant", content="The pancreas."),
        Turn(role="user", content="And bile?"),
        Turn(role="assistant", content="The liver."),
    ),
)


def template(name: str) -> str:
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


@pytest.fixture
def tokens(tiny: Path) -> PreTrainedTokenizerBase:
    loaded = tokenizer.read_tokenizer(tiny)
    loaded.add_special_tokens({"bos_token": "<bos>", "eos_token": "<eos>"})
    return loaded


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("qwen2_5", [["The pancreas.<|im_end|>\n", "The liver.<|im_end|>\n"]]),
        ("llama3", [["The pancreas.<|eot_id|>", "The liver.<|eot_id|>"]]),
        ("llama3_2", [["The pancreas.<|eot_id|>", "The liver.<|eot_id|>"]]),
        ("gemma3", [["The pancreas.<end_of_turn>\n", "The liver.<end_of_turn>\n"]]),
        # These write an answer otherwise once others follow: one sample per answer.
        (
            "qwen3",
            [["<think>\n\n</think>\n\nThe pancreas.<|im_end|>\n"], ["<think>\n\n</think>\n\nThe liver.<|im_end|>\n"]],
        ),
        ("phi3", [["The pancreas.<|end|>\n<eos>"], ["The liver.<|end|>\n<eos>"]]),
        (
            "gptoss",
            [
                ["<|channel|>final<|message|>The pancreas.<|return|>"],
                ["<|channel|>final<|message|>The liver.<|return|>"],
            ],
        ),
    ],
)
def test_loss_is_on_the_answers_alone(tokens: PreTrainedTokenizerBase, name: str, samples: list[list[str]]) -> None:
    tokens.chat_template = template(name)
    assert [trained_texts(tokens, sample) for sample in encode(tokens, TALK)] == samples


@pytest.mark.slow
def test_loss_is_on_the_answers_alone_under_the_embedded_models_own_template() -> None:
    folder, _ = prepare_base(EMBEDDED)
    real = tokenizer.read_tokenizer(folder)
    (sample,) = encode(real, TALK)
    assert trained_texts(real, sample) == ["The pancreas.<|im_end|>\n", "The liver.<|im_end|>\n"]
    whole = real.apply_chat_template([{"role": turn.role, "content": turn.content} for turn in TALK.turns])["input_ids"]
    assert list(sample.ids) == list(whole)


def trl_mask(tokens: PreTrainedTokenizerBase, name: str) -> list[str]:
    messages = [{"role": turn.role, "content": turn.content} for turn in TALK.turns]
    result = tokens.apply_chat_template(
        messages,
        chat_template=template(f"{name}_training"),
        return_assistant_tokens_mask=True,
        return_dict=True,
        tokenize=True,
    )
    stretches: list[list[int]] = [[]]
    for token, marked in zip(result["input_ids"], result["assistant_masks"], strict=True):
        if marked:
            stretches[-1].append(token)
        elif stretches[-1]:
            stretches.append([])
    return [tokens.decode(stretch) for stretch in stretches if stretch]


@pytest.mark.parametrize(
    ("name", "prompted"),
    [
        *[(name, "") for name in ("llama3", "gemma", "gemma3", "cohere", "cohere2", "lfm2", "qwen3")],
        *[(name, "") for name in ("qwen3_instruct_2507", "qwen3_vl", "qwen2_5_vl")],
        # TRL also trains on the line break that the prompt it asks with ends with.
        ("qwen2_5", "\n"),
    ],
)
def test_trl_marks_the_same_answers(tokens: PreTrainedTokenizerBase, name: str, prompted: str) -> None:
    tokens.chat_template = template(name)
    ours = [stretch for sample in encode(tokens, TALK) for stretch in trained_texts(tokens, sample)]
    assert trl_mask(tokens, name) == [prompted + stretch for stretch in ours]


def test_no_prompt_changes_with_the_date(tokens: PreTrainedTokenizerBase) -> None:
    """Llama 3.2 and gpt-oss tell the model the day; a run continued on another day must read the same."""
    tokens.chat_template = template("llama3_2")
    assert date.today().strftime("%Y") not in render(tokens, TALK.turns, ask=True)
    tokens.chat_template = template("gptoss")
    assert date.today().strftime("%Y-%m-%d") not in render(tokens, TALK.turns, ask=True)
