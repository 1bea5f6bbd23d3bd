"""Fixtures that several packages' tests use: tokenizers, tiny models and rows. Heavy libraries are imported on use."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from medctx.io.jsonl import write_records

Rows = Sequence[dict[str, str]]


@pytest.fixture(scope="session")
def alphabet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer of one token a byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    symbols = {char: n for n, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    core = Tokenizer(models.BPE(symbols, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    turns = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    template = turns + "{% if add_generation_prompt %}A: {% endif %}"
    folder = tmp_path_factory.mktemp("bytes")
    PreTrainedTokenizerFast(tokenizer_object=core, chat_template=template).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two small layers and its tokenizer."""
    pytest.importorskip("torch")
    tiny_model = pytest.importorskip("medctx.model.tiny")
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_model.save_tiny_llama(folder)
    return folder


@pytest.fixture(scope="session")
def strong(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in float32 with larger weights and biases in its attention: what each does is seen in what it
    says.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from medctx.text import tokenizer

    config = AutoConfig.from_pretrained(tiny, attention_bias=True)
    model = AutoModelForCausalLM.from_pretrained(tiny, config=config, dtype=torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(std=0.1) if name.endswith("bias") else weight.mul_(4)
    folder = tmp_path_factory.mktemp("strong") / "model"
    model.save_pretrained(folder)
    tokenizer.read_tokenizer(tiny).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mix of 40 short dialogues."""
    pytest.importorskip("medctx_train")
    from tests.support.made_training import dialogue

    folder = tmp_path_factory.mktemp("mix")
    write_records(folder / "dialogues.jsonl", [dialogue(n, 1 + n % 3) for n in range(40)])
    return folder


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose tokenizer counts words: one token each, two more for every turn."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    model = tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")
    words = tokenizers.Tokenizer(model)
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    fast.chat_template = "{% for m in messages %}<{{ m.role }}> {{ m.content }} <end> {% endfor %}"
    folder = tmp_path_factory.mktemp("model")
    fast.save_pretrained(folder)
    return folder


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[str, Rows], Path]:
    """Write rows as JSON lines under a name."""

    def write(name: str, rows: Rows) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def alpaca_rows() -> Callable[[str, int], list[dict[str, str]]]:
    """Rows in the Alpaca columns, every fifth with an input, answers of 1 to 30 words."""

    def rows(topic: str, size: int) -> list[dict[str, str]]:
        return [
            {
                "instruction": f"{topic} question {number}",
                "input": "some notes" if number % 5 == 0 else "",
                "output": " ".join([f"{topic}{number}"] * (1 + number * 7 % 30)),
            }
            for number in range(size)
        ]

    return rows
