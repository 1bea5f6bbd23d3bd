"""A tiny model, made once, and a mix of short Dialogues beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch is there, and for the processes that tests start: on models this small threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest.importorskip("torch")

from medctx.jsonl import write_records
from medctx.records import Dialogue, Turn
from medctx_train.tiny_model import save_tiny_llama


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    save_tiny_llama(folder)
    return folder


@pytest.fixture(scope="session")
def strong(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in float32 with larger weights and biases in its attention: what each does is seen in what it
    says.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from medctx import tokenizer

    config = AutoConfig.from_pretrained(tiny, attention_bias=True)
    model = AutoModelForCausalLM.from_pretrained(tiny, config=config, dtype=torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(std=0.1) if name.endswith("bias") else weight.mul_(4)
    folder = tmp_path_factory.mktemp("strong") / "model"
    model.save_pretrained(folder)
    tokenizer.load(tiny).save_pretrained(folder)
    return folder


def dialogue(number: int, turns: int = 1) -> Dialogue:
    talk = [
        turn
        for n in range(turns)
        for turn in (
            Turn(role="user", content=f"What is a finding in disease {number}-{n}?"),
            Turn(role="assistant", content=f"Finding {number * 7 % 13}."),
        )
    ]
    source, domain = ("odd", "medical") if number % 2 else ("even", "general")
    return Dialogue(id=f"d{number}", domain=domain, source=source, turns=tuple(talk))


@pytest.fixture(scope="session")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mix")
    write_records(folder / "dialogues.jsonl", [dialogue(n, 1 + n % 3) for n in range(40)])
    return folder
