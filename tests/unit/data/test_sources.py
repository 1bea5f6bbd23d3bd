"""Rows become Dialogues, or are told with file and line; sources are found by name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Dialogue
from medctx_data.sources import files
from medctx_data.sources.card import HUB, SkippedRow, Supply
from medctx_data.sources.cards import CARDS
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.packaged import PACKAGES
from medctx_data.sources.registry import open_source
from tests.support.made_dialogues import Rows, dialogue

Write = Callable[[str, Rows], Path]


def opened(**keys: object) -> Supply:
    return open_source(SourceConfig.model_validate(keys), 0, CurriculumConfig.model_validate({}))


def read(**keys: object) -> list[Dialogue | SkippedRow]:
    supply = opened(**keys)
    assert supply.read is not None
    return list(supply.read())


def row(instruction: str, output: str, notes: str = "") -> dict[str, str]:
    return {"instruction": instruction, "input": notes, "output": output}


def test_alpaca_columns_become_two_turns(write_rows: Write) -> None:
    path = write_rows("a.jsonl", [row("Sum up.", "Short.", "A long text."), row("Hello?", "Hi.")])
    first, second = read(source="alpaca", path=path)
    assert isinstance(first, Dialogue) and isinstance(second, Dialogue)
    assert [turn.content for turn in first.turns] == ["Sum up.\n\nA long text.", "Short."]
    assert (first.id, second.id) == ("alpaca-1", "alpaca-2")
    assert {first.licence, second.licence} == {"CC BY-NC 4.0"}


def test_a_source_is_read_from_its_first_row_at_every_call(write_rows: Write) -> None:
    supply = opened(source="medquad", path=write_rows("m.jsonl", [row("A", "1"), row("A", "1")]))
    assert supply.read is not None
    assert list(supply.read()) == list(supply.read())


def test_empty_and_equal_rows_come_as_they_are_for_cleaning_to_count(write_rows: Write) -> None:
    rows = [row("A", "1"), row("A", "1"), row(" ", "2", "notes"), row("B", "")]
    result = read(source="medquad", path=write_rows("m.jsonl", rows))
    assert [isinstance(dialogue, Dialogue) and [turn.content for turn in dialogue.turns] for dialogue in result] == [
        ["A", "1"],
        ["A", "1"],
        ["", "2"],
        ["B", ""],
    ]


def test_every_source_also_reads_rows_that_were_converted(write_rows: Write) -> None:
    """Files are passed on in the columns of other shapes: Alpaca's, an exam's."""
    exam = {"id": "i-7", "question": "Which?", "options": {"A": "one", "B": "two"}, "answer": "B", "context": "Page."}
    chat = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    path = write_rows("mixed.jsonl", [row("Q", "A"), exam, chat, {"question": "Q", "answer": "A"}])  # type: ignore[list-item]
    for name in ("medquad", "mts-dialog", "medmcqa-train", "huatuo-sft", "pubmedqa-train"):
        result = read(source=name, path=path)
        texts = [[turn.content for turn in dialogue.turns] for dialogue in result if isinstance(dialogue, Dialogue)]
        assert texts == [["Q", "A"], ["Page.\n\nWhich?\n\nA. one\nB. two", "two"], ["q", "a"], ["Q", "A"]]
        assert [dialogue.facts for dialogue in result if isinstance(dialogue, Dialogue)][1] == ("i-7",)


def test_gzipped_files_are_read_and_damaged_ones_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write('{"instruction": "q", "output": "a"}\n' * 50)
    assert len(read(source="alpaca", path=path)) == 50
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(MedctxError, match=r"a\.jsonl\.gz cannot be read"):
        read(source="alpaca", path=path)


def test_own_dialogues_keep_their_ids_and_must_be_of_one_domain(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    subset = [dialogue("one", "medical", 4), dialogue("two", "general", 4)]
    path.write_text("".join(row.model_dump_json() + "\n" for row in subset), encoding="utf-8")
    kept, other = read(source="file", name="ward", path=path, domain="medical")
    assert isinstance(kept, Dialogue) and (kept.id, kept.source) == ("one", "ward")
    assert isinstance(other, SkippedRow)
    assert (other.place, other.reason) == (f"{path}:2", "malformed")
    assert "is a general Dialogue but the config says domain: medical" in other.detail


def test_own_parquet_holds_dialogues_or_the_columns_of_a_shape(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    short = dialogue("one", "medical", 4)
    parquet.write_table(pyarrow.Table.from_pylist([short.model_dump()]), tmp_path / "own.parquet")
    assert read(source="file", path=tmp_path / "own.parquet", domain="medical") == [
        short.model_copy(update={"source": "own"})
    ]
    rows = [row("Was hilft?", "Ruhe."), row("感冒了怎么办", "多喝水")]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "more.parquet")
    result = read(source="file", path=tmp_path / "more.parquet", domain="medical")
    assert [isinstance(row, Dialogue) and row.language for row in result] == ["en", "zh"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"instruction": "q"}', "has not the columns instruction, output (it has instruction)"),
        (b'{"instruction": "q", "output": 3}', "has a number in the column output where text is needed"),
        (b'{"instruction": ', "is not JSON (Expecting value"),
        (b"[1]", "holds a list, not an object"),
        (b'{"instruction": "caf\xe9", "output": "a"}', "is not UTF-8 (byte 20)"),
        (b'{"instruction": ["q", 1], "output": "a"}', "has a list in the column instruction"),
        (b"[" * 5_000, "is nested too deeply"),
    ],
)
def test_a_malformed_row_is_told_with_its_place_and_the_rest_is_read(tmp_path: Path, line: bytes, why: str) -> None:
    path = tmp_path / "bad.jsonl"
    good = b'{"instruction": "q", "output": "a"}\n'
    path.write_bytes(good + b"\n" + line + b"\n" + good)
    first, bad, last = read(source="alpaca", path=path)
    assert isinstance(bad, SkippedRow)
    assert (bad.place, bad.reason) == (f"{path}:3", "malformed")
    assert bad.detail.startswith(why)
    assert bad.row
    assert isinstance(first, Dialogue) and isinstance(last, Dialogue) and last.id == "alpaca-4"


def test_a_file_without_a_usable_row_is_given_up_with_its_first_trouble(tmp_path: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text('{"text": "q"}\n' * 3, encoding="utf-8")
    with pytest.raises(MedctxError, match=r"no usable row: .*wrong\.jsonl:1 has not the columns"):
        read(source="alpaca", path=path)
    path.write_text('{"text": "q"}\n' * (files.PATIENCE + 5), encoding="utf-8")
    supply, seen = opened(source="alpaca", path=path), 0
    assert supply.read is not None
    with pytest.raises(MedctxError, match="no usable row"):  # noqa: PT012
        for _ in supply.read():
            seen += 1
    assert seen == files.PATIENCE - 1
    path.write_text("", encoding="utf-8")
    with pytest.raises(MedctxError, match="no usable row; give another one"):
        read(source="alpaca", path=path)


def test_csv_json_arrays_and_folders_are_read(tmp_path: Path, write_rows: Write) -> None:
    (tmp_path / "a.csv").write_text('instruction,output\n"two\nlines","a, b"\nshort\n', encoding="utf-8-sig")
    result = read(source="alpaca", path=tmp_path / "a.csv")
    assert isinstance(result[0], Dialogue) and result[0].turns[0].content == "two\nlines"
    assert isinstance(result[1], SkippedRow) and "has 1 columns where the first line names 2" in result[1].detail
    (tmp_path / "b.json").write_text(json.dumps([row("Q", "A"), 5]), encoding="utf-8")
    result = read(source="alpaca", path=tmp_path / "b.json")
    assert isinstance(result[0], Dialogue)
    assert isinstance(result[1], SkippedRow) and result[1].place == f"{tmp_path / 'b.json'}:2"
    (tmp_path / "b.json").write_text('[{"instruction": "q", "output": "a"}, {', encoding="utf-8")
    with pytest.raises(MedctxError, match=r"b\.json is not a complete JSON array"):
        read(source="alpaca", path=tmp_path / "b.json")
    folder = tmp_path / "several"
    folder.mkdir()
    for name in ("2.jsonl", "1.jsonl"):
        write_rows(name, [row(name, "a")]).rename(folder / name)
    ids = [
        (dialogue.id, dialogue.turns[0].content)
        for dialogue in read(source="alpaca", path=folder)
        if isinstance(dialogue, Dialogue)
    ]
    assert ids == [("alpaca-1-1", "1.jsonl"), ("alpaca-2-1", "2.jsonl")]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"path": "/nowhere.jsonl"}, "path /nowhere.jsonl of the source 'alpaca' does not exist"),
        ({"path": "FOLDER"}, "holds no file that ends in .jsonl"),
        ({"path": "FOLDER/a.txt"}, "has an unknown format"),
    ],
)
def test_a_path_that_cannot_be_read_is_told(tmp_path: Path, keys: dict[str, str], sentence: str) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(MedctxError, match=sentence):
        read(source="alpaca", path=keys["path"].replace("FOLDER", str(tmp_path)))


LOCAL = [
    card.name
    for card in CARDS.values()
    if card.form != "generated" and not card.files and card.name not in {HUB, *PACKAGES}
]


@pytest.mark.parametrize("name", LOCAL)
def test_a_source_that_is_not_fetched_says_what_it_needs(name: str) -> None:
    with pytest.raises(MedctxError, match="needs the key path"):
        opened(source=name, **({"domain": "medical"} if not CARDS[name].domain else {}))


def test_a_generated_source_refuses_a_path(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match="reads no file"):
        opened(source="everyday", path=tmp_path)


def test_the_same_rows_have_the_same_identity_and_others_another(write_rows: Write, tmp_path: Path) -> None:
    path = write_rows("a.jsonl", [row("Q", "A")])
    identity = opened(source="alpaca", path=path).identity
    assert opened(source="alpaca", path=path).identity == identity
    (tmp_path / "elsewhere").mkdir()
    assert opened(source="alpaca", path=path.rename(tmp_path / "elsewhere" / "b.jsonl")).identity == identity
    other = {opened(source="medquad", path=tmp_path / "elsewhere").identity}
    other |= {opened(source="alpaca", name="again", path=tmp_path / "elsewhere").identity}
    other |= {opened(source="alpaca", path=write_rows("a.jsonl", [row("Q", "B")])).identity}
    assert len(other | {identity}) == 4


@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_every_card_is_complete(card: object) -> None:
    from medctx_data.sources.card import SourceCard
    from medctx_data.sources.shapes import SHAPES, needed

    assert isinstance(card, SourceCard)
    assert card.licence
    assert card.citation
    assert card.domain or card.form == "dialogues"
    assert card.form in {"generated", "dialogues"} or card.published.startswith(("https://", "several"))
    if card.form in SHAPES:
        assert needed(card.form, card.columns)
    unfree = ("NC", "none stated", "no version", "parts under", "SA")
    assert card.restriction or not any(word in card.licence for word in unfree)
