"""Training rows and exam items made for measuring, with a known share of repeated rows and of planted exam texts.

Words are drawn as often as in a language (Zipf); lengths are those of short medical questions and answers (about a
hundred words); one row in five is of characters without spaces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

VOCABULARY = 60_000
CHARACTERS = 3_000
UNSPACED_SHARE = 0.2
EXACT_SHARE = 0.03
NEAR_SHARE = 0.03
PLANTED_SHARE = 0.002
ITEMS = 11_171
PASSAGES = 300
PLANTINGS = ("listed", "part", "reworded", "paragraph")
_SYLLABLES = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]


@dataclass
class Planted:
    """What a search should find: lines that repeat, by how; lines that hold something of an item, by what."""

    exact: set[str] = field(default_factory=set)
    near: dict[str, str] = field(default_factory=dict)
    exam: dict[str, tuple[str, str]] = field(default_factory=dict)


class Maker:
    """Draws texts, the same ones from the same seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        names = self.rng.choice(len(_SYLLABLES), (VOCABULARY, 4))
        lengths = self.rng.integers(1, 5, VOCABULARY)
        self.words = ["".join(_SYLLABLES[n] for n in row[:k]) for row, k in zip(names, lengths, strict=True)]
        weights = 1 / np.arange(10, VOCABULARY + 10)
        self._odds = np.cumsum(weights / weights.sum())
        self._character_odds = self._odds[:CHARACTERS] / self._odds[CHARACTERS - 1]

    def text(self, size: int, *, unspaced: bool) -> list[str]:
        """Units of a text."""
        if unspaced:
            drawn = np.searchsorted(self._character_odds, self.rng.random(size))
            return [chr(0x4E00 + int(code)) for code in drawn]
        return [self.words[place] for place in np.searchsorted(self._odds, self.rng.random(size)).tolist()]

    def length(self, middle: int) -> int:
        """A length whose median is ``middle``, with a long tail."""
        return int(np.clip(self.rng.lognormal(np.log(middle), 0.7), 6, 1_200))

    def edited(self, units: list[str], share: float, *, unspaced: bool) -> list[str]:
        """The same with a share of its units (at least one) replaced."""
        units = list(units)
        for place in self.rng.integers(0, len(units), max(1, round(share * len(units)))).tolist():
            units[place] = self.text(1, unspaced=unspaced)[0]
        return units


def joined(units: list[str]) -> str:
    """Units as a text: characters without spaces, words with them."""
    return ("" if units and ord(units[0][0]) >= 0x4E00 else " ").join(units)


def exam_rows(maker: Maker) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Items in the row schema, a third of them with a Passage of five paragraphs."""
    items, passages = [], []
    for number in range(PASSAGES):
        paragraphs = [joined(maker.text(90, unspaced=False)) for _ in range(5)]
        passages.append({"book_id": f"page-{number}", "text": "\n".join(paragraphs)})
    for number in range(ITEMS):
        unspaced = number % 2 == 1
        options = [joined(maker.text(maker.length(4), unspaced=unspaced)) for _ in range(4)]
        row: dict[str, object] = {
            "id": f"item-{number}",
            "question": joined(maker.text(maker.length(28), unspaced=unspaced)),
            "options": dict(zip("ABCD", options, strict=True)),
            "answer": "A",
        }
        if number % 3 == 0:
            row["book_id"] = f"page-{number % PASSAGES}"
        items.append(row)
    return items, passages


def _units(question: str) -> list[str]:
    return list(question) if ord(question[0]) >= 0x4E00 else question.split()


def _planting(maker: Maker, kind: str, item: dict[str, object], pages: dict[str, str]) -> str:
    question = str(item["question"])
    units = _units(question)
    if kind == "paragraph":
        return pages[str(item["book_id"])].split("\n")[2]
    if kind == "part":
        return joined(units[: max(16, len(units) // 2)])
    if kind == "reworded":
        return joined(maker.edited(units, 0.02, unspaced=ord(question[0]) >= 0x4E00))
    options = list(dict(item["options"]).values())  # type: ignore[call-overload]
    maker.rng.shuffle(options)
    return "\n".join([question, *(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True))])


def training_rows(
    maker: Maker,
    name: str,
    size: int,
    items: list[dict[str, object]],
    passages: list[dict[str, object]],
    planted: Planted,
    unspaced_share: float = UNSPACED_SHARE,
) -> Iterator[dict[str, str]]:
    """Rows in the Alpaca columns; ids are ``name-line``."""
    pages = {str(passage["book_id"]): str(passage["text"]) for passage in passages}
    long = [candidate for candidate in items if len(_units(str(candidate["question"]))) >= 26]
    longest = [candidate for candidate in items if len(_units(str(candidate["question"]))) >= 45]
    pools = {"paragraph": [candidate for candidate in long if "book_id" in candidate], "reworded": longest}
    recent: list[tuple[str, list[str], list[str]]] = []
    for line in range(1, size + 1):
        dice = maker.rng.random()
        row = f"{name}-{line}"
        if recent and dice < EXACT_SHARE + NEAR_SHARE:
            of, question, answer = recent[int(maker.rng.integers(len(recent)))]
            if dice < EXACT_SHARE:
                planted.exact.add(row)
            else:
                answer = maker.edited(answer, 0.015, unspaced=ord(answer[0][0]) >= 0x4E00)
                planted.near[row] = of
            yield {"instruction": joined(question), "input": "", "output": joined(answer)}
            continue
        unspaced = maker.rng.random() < unspaced_share
        question = maker.text(maker.length(14), unspaced=unspaced)
        answer = maker.text(maker.length(70), unspaced=unspaced)
        text = joined(question)
        if items and dice > 1 - PLANTED_SHARE:
            kind = PLANTINGS[line % len(PLANTINGS)]
            pool = pools.get(kind, long)
            item = pool[int(maker.rng.integers(len(pool)))]
            text = _planting(maker, kind, item, pages)
            planted.exam[row] = (str(item["id"]), kind)
        elif len(recent) < 5_000 or maker.rng.random() < 0.01:
            recent.append((row, question, answer))
        yield {"instruction": text, "input": "", "output": joined(answer)}


def write(path: Path, rows: Iterator[dict[str, str]] | list[dict[str, object]]) -> None:
    """JSON lines."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
