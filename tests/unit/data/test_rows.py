"""Large sources on disk: the same rows by number, read once, and nothing written twice after a kill."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medctx.schemas.records import Dialogue
from medctx_data.row_store import rows
from medctx_data.row_store.rows import MemoryRows, ShardedRows, gather, shard_file
from medctx_data.sources.card import Row, SkippedRow
from tests.support.made_dialogues import dialogue

BROKEN = SkippedRow("ward.jsonl:3", "malformed", "has no answer", "{}")


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "SHARD", 10)


def some(size: int) -> list[Dialogue]:
    return [dialogue(f"row-{number}\u2028line", "medical", 3 + number % 7) for number in range(size)]


def reading(dialogues: list[Row], stop: int | None = None) -> tuple[Callable[[], Iterator[Row]], list[int]]:
    """A source that counts how many rows were read of it, and may break off."""
    seen: list[int] = []

    def read() -> Iterator[Row]:
        for number, row in enumerate(dialogues):
            if number == stop:
                raise KeyboardInterrupt
            seen.append(number)
            yield row

    return read, seen


def test_a_small_source_stays_in_memory(tmp_path: Path) -> None:
    read, _ = reading([*some(9), BROKEN])
    gathered = gather(read, "ward", tmp_path / "ward")
    assert isinstance(gathered.rows, MemoryRows)
    assert gathered.rows.take([8, 0]) == [some(9)[8], some(9)[0]]
    assert gathered.skipped == (BROKEN,)
    assert not (tmp_path / "ward").exists()


def test_a_large_source_gives_the_same_rows_from_disk(tmp_path: Path) -> None:
    dialogues = some(37)
    read, seen = reading([*dialogues[:20], BROKEN, *dialogues[20:]])
    gathered = gather(read, "ward", tmp_path)
    assert isinstance(gathered.rows, ShardedRows)
    assert len(gathered.rows) == 37
    assert gathered.rows.shards == 4
    assert [dialogue for number in range(4) for dialogue in gathered.rows.shard(number)] == dialogues
    numbers = [36, 0, 10, 9, 9, 35]
    assert gathered.rows.take(numbers) == [dialogues[number] for number in numbers]
    assert gather(read, "ward", tmp_path).skipped == (BROKEN,)
    assert len(seen) == 38


def test_after_a_kill_shards_that_are_whole_are_kept(tmp_path: Path) -> None:
    dialogues = some(37)
    broken_off, _ = reading(list(dialogues), stop=25)
    with pytest.raises(KeyboardInterrupt):
        gather(broken_off, "ward", tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("rows-*")}
    assert len(written) == 2
    read, _ = reading(list(dialogues))
    gathered = gather(read, "ward", tmp_path)
    assert gathered.rows.take(range(37)) == dialogues
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in written} == written
    assert not list(tmp_path.glob(".*"))


def test_a_source_as_long_as_its_shards_ends_there(tmp_path: Path) -> None:
    read, _ = reading(list(some(20)))
    assert len(gather(read, "ward", tmp_path).rows) == 20
    assert not shard_file(tmp_path, 2).exists()


def test_drawn_rows_lie_on_disk_beyond_a_shard_and_go_with_their_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path))
    monkeypatch.setattr(rows, "SHARD", 10)
    drawn = [dialogue(str(number), "medical", 4) for number in range(25)]
    spool = rows.Spool()
    assert [spool.add(row) for row in drawn] == list(range(25))
    result = spool.rows()
    assert isinstance(result, ShardedRows)
    assert len(list(tmp_path.glob("drawn-*/rows-*.jsonl"))) == 3
    assert result.take([24, 3, 10]) == [drawn[24], drawn[3], drawn[10]]
    elsewhere = pickle.loads(pickle.dumps(result))
    del elsewhere
    assert result.take([0]) == [drawn[0]]
    del result, spool
    assert not list(tmp_path.glob("drawn-*"))
