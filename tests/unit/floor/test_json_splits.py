"""JSON objects around rows: which key is read, what is said, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.tables.files import rows

FIRST, SECOND = {"question": "What treats scurvy?"}, {"question": "Which organ makes insulin?"}
TRAIN = {"train": [FIRST], "test": [SECOND]}


def _read(folder: Path, value: object, *splits: str) -> list[dict[str, object]]:
    path = folder / "rows.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return [row.columns for row in rows(path, splits or ("train",))]


@pytest.mark.parametrize(
    "value",
    [
        TRAIN,
        {"data": TRAIN},
        {"data": TRAIN, "version": 2},
        {"dataset": {"data": TRAIN}},
        {"Train": [FIRST], "Test": [SECOND]},
        {"training": [FIRST], "dev": [SECOND]},
        {"train": {"rows": [FIRST]}, "test": {"rows": [SECOND]}},
        {"train_v2": [FIRST], "test_v2": [SECOND]},
        {"data": [FIRST], "extra": [SECOND]},
        {"rows": [FIRST]},
    ],
)
def test_the_training_split_is_read(tmp_path: Path, value: object) -> None:
    assert _read(tmp_path, value) == [FIRST]


def test_rows_by_id_are_read_within_a_split(tmp_path: Path) -> None:
    value = {"train": {"a": FIRST}, "test": {"b": SECOND}}
    assert _read(tmp_path, value) == [{**FIRST, "id": "a"}]
    assert _read(tmp_path, value, "test") == [{**SECOND, "id": "b"}]


def test_an_id_named_like_a_split_stays_a_row(tmp_path: Path) -> None:
    assert _read(tmp_path, {"test": FIRST, "q2": SECOND}) == [{**FIRST, "id": "test"}, {**SECOND, "id": "q2"}]


def test_a_split_is_asked_for_by_any_of_its_names_and_all_is_every_one(tmp_path: Path) -> None:
    value = {"data": {"train": [FIRST], "dev": [SECOND]}}
    assert _read(tmp_path, value, "validation") == [SECOND]
    assert _read(tmp_path, value, "all") == [FIRST, SECOND]


def test_the_first_of_several_wanted_splits_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path, {"train": [FIRST], "dev": [SECOND]}, "test", "validation", "train") == [SECOND]
    assert _read(tmp_path, {"train": [FIRST]}, "test", "validation", "train") == [FIRST]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"test": [FIRST]}, "holds no split 'train' but test; name one with the key split"),
        ({"data": {"dev": [FIRST]}}, "holds no split 'train' but dev"),
        ({"ward": [FIRST], "clinic": [SECOND]}, "several lists of rows \\(ward, clinic\\)"),
        ({"validation": [FIRST], "test": [SECOND]}, "several lists of rows \\(validation, test\\)"),
    ],
)
def test_held_out_rows_are_not_trained_on_unasked(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(MedctxError, match=message):
        _read(tmp_path, value)


def test_what_is_not_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _read(tmp_path, {"data": TRAIN, "about": "x"})
    said = capsys.readouterr().err
    assert "'data'; not from about" in said and "'train'; not from test" in said


def test_lines_that_hold_messages_are_rows(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}]
    path = tmp_path / "chats.jsonl"
    path.write_text(2 * (json.dumps(messages) + "\n"), encoding="utf-8")
    assert [row.columns for row in rows(path)] == 2 * [{"messages": messages}]


def test_columns_without_a_name_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "saved.csv"
    path.write_text(",question,answer,,\n0,Q?,A.,,\n", encoding="utf-8")
    (row,) = rows(path)
    assert row.columns == {"column 1": "0", "question": "Q?", "answer": "A.", "column 4": "", "column 5": ""}
