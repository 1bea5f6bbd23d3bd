"""Files in the form of the user's own Chinese data, made of a few words: sources of both domains and an exam."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

ORGANS = ("心", "肝", "肺", "肾", "脾", "胃", "脑", "骨")
FINDINGS = ("疼痛", "水肿", "发热", "出血", "萎缩", "硬化", "麻木", "肿大")


def _write(path: Path, rows: Iterable[dict[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def write(folder: Path) -> None:
    """The three files that studies/with/small-zh.yaml names."""
    pairs = [(organ, finding) for organ in ORGANS for finding in FINDINGS]
    general = (
        {"instruction": f"把{a}和{b}写成一句话，第{n}次。", "input": "", "output": f"{a}与{b}。"}
        for n in range(6)
        for a, b in pairs
    )
    medical = (
        {"instruction": f"{a}病第{n}型有何表现\uff1f", "input": "", "output": f"可见{b}。"}
        for n in range(6)
        for a, b in pairs
    )
    _write(folder / "sft_general_alpaca_zh.jsonl.gz", general)
    _write(folder / "sft_medical_huatuo_zh.jsonl.gz", medical)
    exam = []
    for number, (organ, finding) in enumerate(pairs):
        others = [other for other in FINDINGS if other != finding][:4]
        place = number % 5
        texts = [*others[:place], finding, *others[place:]]
        options = dict(zip("ABCDE", texts, strict=True))
        exam.append(
            {
                "id": f"cmb-single-{number}",
                "source": "cmb-single",
                "question": f"{organ}病{number}号最常见的表现是\uff08\u3000\uff09",
                "options": options,
                "answer": "ABCDE"[place],
            }
        )
    _write(folder / "zh_exams_test.jsonl.gz", exam)
