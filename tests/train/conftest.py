"""A tiny model, made once, and a mix of short Dialogues beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch is there, and for the processes that tests start: on models this small threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest.importorskip("torch")

from medctx.io.jsonl import write_records
from medctx.schemas.probe_item import ProbeItem
from medctx.schemas.records import Book, Dialogue, ExamItem, Turn
from medctx.text.book import EMPTY
from medctx_train.config import SftConfig
from medctx_train.model.lora import LoraSettings
from medctx_train.model.tiny import save_tiny_llama


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

    from medctx.text import tokenizer

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


def settings(tiny: Path, mix: Path, **changes: object) -> SftConfig:
    """A run on the tiny model, quick to learn, with dropout."""
    values: dict[str, object] = {
        "base": str(tiny),
        "mix": mix,
        "row_tokens": 256,
        "rows_per_step": 1,
        "learning_rate": 5e-3,
        "lora": LoraSettings(rank=4, alpha=8, dropout=0.1),
        "checkpoint_every": 2,
        "autocast": "no",
    }
    return SftConfig.model_validate({**values, **changes})


def probe_items(number: int) -> list[ProbeItem]:
    """Questions in the words of the Dialogues, closed and on pages of two to a Book, and on pages that were altered."""
    options = {letter: f"Finding {n}." for n, letter in enumerate("ABCD")}
    items = []
    for n in range(number):
        asked = ExamItem(
            id=f"p{n}",
            exam="made",
            question=f"What is a finding in disease {n}-0?",
            options=options,
            gold=("ABCD"[n % 4],),
            cluster=f"c{n // 2}",
        )
        pages = {}
        for axis, gold in (("reading", n % 4), ("faithfulness", (n + 1) % 4)):
            text = "\n".join(f"Disease {n // 2 * 2 + k}-0: finding {(gold + k) % 4}." for k in range(2))
            pages[axis] = (Book(id=f"{axis}{n // 2}", text=text, tokens=len(text)), gold)
        items.append(ProbeItem(axis="knowledge", item=asked, book=EMPTY))
        for axis, (book, gold) in pages.items():
            right = asked.model_copy(update={"gold": ("ABCD"[gold],)})
            items.append(ProbeItem.model_validate({"axis": axis, "item": right, "book": book}))
    return sorted(items, key=lambda one: one.axis)


def made_probe(path: Path, number: int) -> Path:
    """A probe file of so many items on each axis."""
    write_records(path, probe_items(number))
    return path
