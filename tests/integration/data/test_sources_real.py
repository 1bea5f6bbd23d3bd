"""The sources on real files, where a checkout has them beside it: every row is read, what says nothing is counted."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec

import pytest

from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Dialogue
from medctx_data.sources import packaged
from medctx_data.sources.card import RowNote
from medctx_data.sources.cards import CARDS
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source
from tests.support.paths import REAL_DATA


@pytest.mark.parametrize(
    ("name", "file", "counts"),
    [
        ("alpaca", "sft_general_alpaca_en", {"read": 51_974}),
        ("alpaca-zh", "sft_general_alpaca_zh", {"read": 20_454}),
        ("gsm8k", "sft_general_gsm8k", {"read": 7_473}),
        ("medquad", "sft_medical_medquad", {"read": 16_407}),
        ("huatuo-zh", "sft_medical_huatuo_zh", {"read": 8_658}),
        ("mts-dialog", "sft_medical_mts_dialog", {"read": 1_201}),
        ("pubmedqa-train", "pubmedqa_train", {"read": 500}),
    ],
)
def test_every_row_is_read_or_counted(name: str, file: str, counts: dict[str, int]) -> None:
    path = REAL_DATA / f"{file}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the real file {path} is not on this machine")
    supply = open_source(SourceConfig(source=name, path=path), 0, CurriculumConfig.model_validate({}))
    assert supply.read is not None
    results: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for row in supply.read():
        if isinstance(row, RowNote):
            notes[row.text] += 1
            continue
        if not isinstance(row, Dialogue):
            results[row.reason] += 1
            continue
        assert row.language == CARDS[name].language
        assert row.licence
        empty = {turn.role for turn in row.turns if not turn.content}
        results[f"empty {min(empty)}" if empty else "read"] += 1
    assert results == counts
    assert sum(notes.values()) == sum(counts.values()) * len(notes)


@pytest.mark.parametrize(("name", "fewest"), [("chitchat", 10_000), ("factbook", 3_000)])
def test_the_real_package_gives_rows_of_text(name: str, fewest: int) -> None:
    if find_spec(packaged.PACKAGES[name].package) is None:
        pytest.skip(f"{packaged.PACKAGES[name].distribution} is not installed")
    supply = open_source(SourceConfig(source=name), 0, CurriculumConfig())
    assert supply.read is not None
    entries = list(supply.read())
    assert entries == list(supply.read())
    assert all(isinstance(row, Dialogue | RowNote) for row in entries)
    rows = [row for row in entries if isinstance(row, Dialogue)]
    assert len(rows) >= fewest
    # The Factbook's texts are marked up; what people write in a chat is theirs.
    marked = [turn.content for row in rows for turn in row.turns if "</" in turn.content or "&nbsp;" in turn.content]
    assert name == "chitchat" or not marked
