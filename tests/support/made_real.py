"""Files in the form of the user's own data that studies on real input name, made of a few words."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from medctx.model.tiny import save_tiny_llama

BOOKS = 24
ITEMS_OF_A_BOOK = 8


def _write(path: Path, rows: Iterable[dict[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row) + "\n")


def _pairs(subject: str, count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        answer = (
            f"The {subject} number {number} is held in room {number % 17} by the person called {number * 7919 % 9973}."
        )
        yield {"instruction": f"Where is the {subject} number {number} held?", "input": "", "output": answer}


def _textbook(folder: Path, name: str) -> None:
    books = []
    items = []
    for book in range(BOOKS):
        rows = [(f"part {book}-{place}", f"colour {book * 31 + place}") for place in range(ITEMS_OF_A_BOOK)]
        text = " ".join(f"The {part} of the body has the {colour}." for part, colour in rows)
        books.append({"book_id": f"{name}/{book:04}", "title": f"Section {book}", "text": text})
        for place, (part, _) in enumerate(rows):
            offered = [rows[(place + turn) % ITEMS_OF_A_BOOK][1] for turn in range(4)]
            items.append(
                {
                    "id": f"{name}/{book}-{place}",
                    "subject": f"Section {book}",
                    "question": f"Which colour has the {part}?",
                    "options": dict(zip("ABCD", offered[-(place % 4) :] + offered[: -(place % 4)], strict=True)),
                    "answer": "ABCD"[place % 4],
                    "book_id": f"{name}/{book:04}",
                }
            )
    _write(folder / f"{name}_items.jsonl.gz", items)
    _write(folder / f"{name}_books.jsonl.gz", books)


def _abstracts(count: int) -> Iterator[dict[str, object]]:
    options = {"A": "yes", "B": "no", "C": "maybe"}
    for number in range(count):
        yield {
            "id": f"pubmedqa-{number}",
            "question": f"Does the drug {number} lower the pressure?",
            "context": f"METHODS: {number + 20} people took it. RESULTS: The pressure fell by {number % 9} points.",
            "options": options,
            "answer": "ABC"[number % 3],
        }


def _chinese_pairs(subject: str, count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        answer = f"第{number}号{subject}在{number % 17}号房间，由{number * 7919 % 9973}号负责。"
        yield {"instruction": f"第{number}号{subject}在哪里", "input": "", "output": answer}


def _chinese_questions(count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        yield {
            "id": f"zh-{number}",
            "question": f"第{number}号药物治疗什么",
            "options": {letter: f"疾病{(number + place) * 31}" for place, letter in enumerate("ABCD")},
            "answer": "ABCD"[number % 4],
        }


def write(folder: Path) -> None:
    """The files that studies/openstax.yaml, studies/pubmedqa.yaml and studies/zh-exams.yaml name."""
    _write(folder / "sft_general_alpaca_zh.jsonl.gz", _chinese_pairs("包裹", 600))
    _write(folder / "sft_medical_huatuo_zh.jsonl.gz", _chinese_pairs("病人", 600))
    _write(folder / "zh_exams_test.jsonl.gz", _chinese_questions(200))
    save_tiny_llama(folder / "minimind2-small")
    _write(folder / "sft_general_alpaca_en.jsonl.gz", _pairs("parcel", 600))
    _write(folder / "sft_medical_medquad.jsonl.gz", _pairs("patient", 600))
    _textbook(folder, "openstax_anatomy")
    _textbook(folder, "openstax_psychology")
    _write(folder / "pubmedqa_test.jsonl.gz", _abstracts(120))
