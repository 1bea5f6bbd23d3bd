"""Rows become Dialogues, or a sentence with file and line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from made_dialogues import Rows, dialogue

from medctx.curriculum import CurriculumConfig
from medctx.errors import MedctxError
from medctx_data.mix_config import SourceConfig
from medctx_data.sources.card import Supply
from medctx_data.sources.cards import CARDS
from medctx_data.sources.registry import open_source

Write = Callable[[str, Rows], Path]


def opened(**keys: object) -> Supply:
    return open_source(SourceConfig.model_validate(keys), 0, CurriculumConfig.model_validate({}))


def row(instruction: str, output: str, notes: str = "") -> dict[str, str]:
    return {"instruction": instruction, "input": notes, "output": output}


def test_alpaca_columns_become_two_turns(write_rows: Write) -> None:
    path = write_rows("a.jsonl", [row("Sum up.", "Short.", "A long text."), row("Hello?", "Hi.")])
    supply = opened(source="gsm8k", path=path)
    assert [turn.content for turn in supply.rows[0].turns] == ["Sum up.\n\nA long text.", "Short."]
    assert [one.id for one in supply.rows] == ["gsm8k-1", "gsm8k-2"]
    assert {one.licence for one in supply.rows} == {"MIT"}


def test_empty_and_equal_rows_are_dropped_and_counted(write_rows: Write) -> None:
    rows = [row("A", "1"), row("A", "1"), row(" ", "2", "notes"), row("B", ""), row("A", "2")]
    supply = opened(source="medquad", path=write_rows("m.jsonl", rows))
    assert len(supply.rows) == 2
    assert supply.dropped == {"duplicate": 1, "empty_instruction": 1, "empty_output": 1}


def test_gzipped_files_are_read_and_damaged_ones_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write('{"instruction": "q", "output": "a"}\n' * 50)
    assert len(opened(source="alpaca", path=path).rows) == 1
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(MedctxError, match=r"a\.jsonl\.gz cannot be read"):
        opened(source="alpaca", path=path)


def test_own_dialogues_keep_their_ids_and_must_be_of_one_domain(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    own = [dialogue("one", "medical", 4), dialogue("two", "general", 4)]
    path.write_text("".join(one.model_dump_json() + "\n" for one in own), encoding="utf-8")
    with pytest.raises(MedctxError, match=r"own\.jsonl:2 is a general Dialogue"):
        opened(source="jsonl", path=path, domain="medical")
    path.write_text(own[0].model_dump_json(), encoding="utf-8")
    kept = opened(source="jsonl", name="ward", path=path, domain="medical").rows
    assert [(one.id, one.source) for one in kept] == [("one", "ward")]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"instruction": "q"}', r"bad\.jsonl:2 has not the columns .*output"),
        ('{"instruction": "q", "output": 3}', r"bad\.jsonl:2 has not the columns .*output"),
        ('{"instruction": ', r"bad\.jsonl:2 is not JSON"),
        ("[1]", r"bad\.jsonl:2 holds a list"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"instruction": "q", "output": "a"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(MedctxError, match=sentence):
        opened(source="alpaca", path=path)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"instruction": "caf\xe9", "output": "a"}\n')
    with pytest.raises(MedctxError, match="is not UTF-8"):
        opened(source="alpaca", path=path)


@pytest.mark.parametrize("name", [card.name for card in CARDS.values() if card.form == "alpaca"])
def test_a_source_without_its_file_says_which_and_where(name: str) -> None:
    with pytest.raises(MedctxError, match=r"needs the key path.*published at .*github"):
        opened(source=name)


def test_a_generated_source_refuses_a_path(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match="reads no file"):
        opened(source="everyday", path=tmp_path)


def test_every_card_is_complete() -> None:
    for card in CARDS.values():
        assert card.licence
        assert card.citation
        assert card.domain or card.form == "dialogues"
        if card.form == "alpaca":
            assert card.published
