from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Turn
from medctx.text import tokenizer
from medctx_train.data.tokenize import EncodedSample, encode
from tests.support.made_training import dialogue

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Qwen3 in short: the reasoning of answers before the last user turn is not shown again.
FORGETFUL = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '<think></think>' }}{% endif %}{{ m['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def trained_texts(tokens: PreTrainedTokenizerBase, sample: EncodedSample) -> list[str]:
    """The stretches of a sample that carry loss, as text."""
    stretches: list[list[int]] = [[]]
    for token, carries in zip(sample.ids, sample.carries_loss, strict=True):
        if carries:
            stretches[-1].append(token)
        elif stretches[-1]:
            stretches.append([])
    return [tokens.decode(stretch) for stretch in stretches if stretch]


def test_a_template_that_forgets_reasoning_gives_each_answer_its_own_sample(tiny: Path) -> None:
    tokens = tokenizer.load_tokenizer(tiny)
    tokens.chat_template = FORGETFUL
    first, second = encode(tokens, dialogue(3, turns=2))
    assert (first.id, second.id) == ("d3/answer-1", "d3/answer-2")
    assert tokens.decode(first.ids) == (
        "<|user|>What is a finding in disease 3-0?<|end|><|assistant|><think></think>Finding 8.<|end|>"
    )
    assert trained_texts(tokens, first) == trained_texts(tokens, second) == ["<think></think>Finding 8.<|end|>"]
    assert "<|assistant|>Finding 8.<|end|><|user|>" in tokens.decode(second.ids)


def test_the_last_answer_alone_is_one_sample_whatever_the_template_forgets(tiny: Path) -> None:
    tokens = tokenizer.load_tokenizer(tiny)
    tokens.chat_template = FORGETFUL
    (only,) = encode(tokens, dialogue(3))
    assert only.id == "d3"


def test_a_template_whose_answers_do_not_follow_its_prompt_is_refused(tiny: Path) -> None:
    tokens = tokenizer.load_tokenizer(tiny)
    tokens.chat_template = "{{ messages|length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(MedctxError, match=r"does not write the answers of Dialogue .d1. after its generation prompt"):
        encode(tokens, dialogue(1, turns=2))


def test_tokens_and_text_of_a_sample_agree(tiny: Path) -> None:
    tokens = tokenizer.load_tokenizer(tiny)
    turns = (
        Turn(role="system", content="Be brief."),
        Turn(role="user", content="Ä?"),
        Turn(role="assistant", content="é"),
    )
    (sample,) = encode(tokens, Dialogue(id="a", domain="general", source="s", turns=turns))
    assert tokens.decode(sample.ids) == "<|system|>Be brief.<|end|><|user|>Ä?<|end|><|assistant|>é<|end|>"
    assert trained_texts(tokens, sample) == ["é<|end|>"]


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MedctxError, match="has no tokenizer"):
        tokenizer.load_tokenizer(tmp_path)
