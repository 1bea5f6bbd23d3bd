from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.io import jsonl
from medctx.io.journal import Journal
from medctx.schemas.records import ExamItem, Turn


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"role": "user", "content": "x"}\n{"role": }\n')
    with pytest.raises(MedctxError, match=r"a\.jsonl:2 is not JSON"):
        list(jsonl.read_records(file, Turn))


def test_a_wrong_record_is_named_with_its_field(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"role": "nurse", "content": "x"}\n')
    with pytest.raises(MedctxError, match=r"a\.jsonl:1 is no Turn \(role"):
        list(jsonl.read_records(file, Turn))


def test_nothing_is_half_written(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    def torn() -> None:
        with jsonl.atomic_writer(file) as stream:
            stream.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        torn()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(min_value=1, max_value=200))
def test_a_journal_survives_a_cut_anywhere(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    turns = [Turn(role="user", content=str(n)) for n in range(5)]
    with Journal(path, Turn) as journal:
        for turn in turns:
            journal.append(turn)
    content = path.read_bytes()
    path.write_bytes(content[: -min(cut, len(content))])
    with Journal(path, Turn) as journal:
        kept = list(journal.records)
        assert kept == turns[: len(kept)]
        journal.append(turns[0])
        assert journal.records == [*kept, turns[0]], "the torn end was read before it was replaced"
    with Journal(path, Turn) as journal:
        assert journal.records == [*kept, turns[0]]


def test_a_journal_rewinds(tmp_path: Path) -> None:
    turns = [Turn(role="user", content=str(n)) for n in range(4)]
    with Journal(tmp_path / "j.jsonl", Turn) as journal:
        for turn in turns:
            journal.append(turn)
        journal.rewind(2)
        journal.append(turns[3])
    with Journal(tmp_path / "j.jsonl", Turn) as journal:
        assert journal.records == [turns[0], turns[1], turns[3]]


def test_too_little_disk_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match="MiB are needed"):
        jsonl.require_space(tmp_path, 2**60)


@pytest.mark.parametrize("gold", [(), ("E",)])
def test_gold_is_never_missing_or_invented(gold: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="gold"):
        ExamItem(id="a", exam="x", question="q", options={"A": "1", "B": "2"}, gold=gold, cluster="c")
