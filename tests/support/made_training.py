"""Short dialogues, a configuration that trains the tiny model in seconds, and probe items about the same facts."""

from __future__ import annotations

from pathlib import Path

from medctx.io.jsonl import write_records
from medctx.schemas.probe_item import ProbeItem
from medctx.schemas.records import Book, Dialogue, ExamItem, Turn
from medctx.text.book import EMPTY
from medctx_train.config import SftConfig
from medctx_train.model.config import LoraSettings


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
        question = ExamItem(
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
        items.append(ProbeItem(axis="knowledge", item=question, book=EMPTY))
        for axis, (book, gold) in pages.items():
            right = question.model_copy(update={"gold": ("ABCD"[gold],)})
            items.append(ProbeItem.model_validate({"axis": axis, "item": right, "book": book}))
    return sorted(items, key=lambda item: item.axis)


def made_probe(path: Path, number: int) -> Path:
    """A probe file of so many items on each axis."""
    write_records(path, probe_items(number))
    return path
