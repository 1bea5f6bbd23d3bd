"""What is read again is verified: one flipped bit anywhere is noticed, in one sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from medctx.errors import MedctxError
from medctx.io.journal import Journal, read_journal
from medctx.io.jsonl import read_records, write_record, write_records
from medctx.io.mix_folder import mix_file_digests, read_dialogues, write_shard
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.records import Dialogue, Turn

FLIPS = int(os.environ.get("MEDCTX_FLIPS", "60"))
"""The campaign of the release has 400 per kind: MEDCTX_FLIPS=400."""
DIALOGUES = [
    Dialogue(
        id=f"row-{number}",
        domain="medical" if number % 2 else "general",
        source="ward",
        turns=(Turn(role="user", content=f"Question {number}?"), Turn(role="assistant", content=f"Answer {number}.")),
        facts=(f"fact-{number}",),
    )
    for number in range(40)
]


def _manifest(folder: Path) -> None:
    manifest = MixManifest.model_construct(
        **dict.fromkeys(("medctx", "digest", "request", "ratio"), ""),
        **dict.fromkeys(("seed", "tokens", "dialogues"), 0),
        by="tokens", order="mixed", budget=None, domains=(), sources=(), lengths=(),
        files=mix_file_digests(path for path in folder.iterdir() if path.name.startswith("dialogues")),
    )  # fmt: skip
    write_record(folder / MIX_FILE, manifest)


def _mix(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / "dialogues.jsonl"
    write_records(path, DIALOGUES)
    _manifest(folder)
    return path, lambda: list(read_dialogues(folder))


def _parquet_mix(folder: Path) -> tuple[Path, Callable[[], object]]:
    pytest.importorskip("pyarrow")
    path = folder / "dialogues-00000-of-00001.parquet"
    write_shard(path, DIALOGUES)
    _manifest(folder)
    return path, lambda: list(read_dialogues(folder))


def _lone_shard(folder: Path) -> tuple[Path, Callable[[], object]]:
    pytest.importorskip("pyarrow")
    path = folder / "dialogues-00000-of-00001.parquet"
    write_shard(path, DIALOGUES)
    return path, lambda: list(read_dialogues(folder))


def _journal(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / "journal.jsonl"
    with Journal(path, Dialogue) as journal:
        journal.extend(DIALOGUES)

    def read() -> object:
        with Journal(path, Dialogue) as journal:
            return list(journal.records)

    return path, read


def _read_journal(folder: Path) -> tuple[Path, Callable[[], object]]:
    path, _ = _journal(folder)
    return path, lambda: list(read_journal(path, Dialogue))


def _checked_lines(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / "rows.jsonl"
    write_records(path, DIALOGUES, checked=True)
    return path, lambda: list(read_records(path, Dialogue))


def _flips(size: int) -> Iterator[tuple[int, int]]:
    rng = Random(size)
    # The last bytes too: a changed line break at the end must not pass for a torn line.
    yield from ((size - 1, bit) for bit in range(8))
    yield from ((rng.randrange(size), rng.randrange(8)) for _ in range(FLIPS))


@pytest.mark.parametrize(
    "kind",
    [_mix, _parquet_mix, _lone_shard, _journal, _read_journal, _checked_lines],
    ids=lambda kind: kind.__name__[1:],
)
def test_no_flipped_bit_changes_what_is_read_in_silence(
    kind: Callable[[Path], tuple[Path, Callable[[], object]]], tmp_path: Path
) -> None:
    path, read = kind(tmp_path)
    original = path.read_bytes()
    assert read() == DIALOGUES
    silent = []
    sentences: set[str] = set()
    for place, bit in _flips(len(original)):
        changed = bytearray(original)
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        try:
            if read() != DIALOGUES:
                silent.append((place, bit))
        except MedctxError as error:
            sentences.add(str(error))
    assert not silent
    assert not [sentence for sentence in sentences if "\n" in sentence]


def test_a_missing_or_an_added_file_of_a_mix_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for number in range(2):
        write_shard(tmp_path / f"dialogues-{number:05d}-of-00002.parquet", DIALOGUES)
    _manifest(tmp_path)
    (tmp_path / "dialogues-00002-of-00003.parquet").write_bytes(b"")
    with pytest.raises(MedctxError, match=r"dialogues-00002-of-00003\.parquet does not belong to it"):
        list(read_dialogues(tmp_path))
    (tmp_path / "dialogues-00002-of-00003.parquet").unlink()
    (tmp_path / "dialogues-00001-of-00002.parquet").unlink()
    with pytest.raises(MedctxError, match=r"dialogues-00001-of-00002\.parquet is missing"):
        list(read_dialogues(tmp_path))


def test_opening_a_journal_leaves_the_tail_that_another_process_is_writing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first = Journal(path, Dialogue)
    first.append(DIALOGUES[0])
    whole = path.read_bytes()
    with path.open("ab") as stream:
        stream.write(whole[: len(whole) // 2])
    with Journal(path, Dialogue) as second:
        assert list(second.records) == DIALOGUES[:1]
    assert path.read_bytes() == whole + whole[: len(whole) // 2]
    first.append(DIALOGUES[1])
    first.close()
    assert list(read_journal(path, Dialogue)) == DIALOGUES[:2]


def test_two_writers_of_one_journal_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, Dialogue) as first, Journal(path, Dialogue) as second:
        for number, dialogue in enumerate(DIALOGUES):
            (first if number % 2 else second).add(dialogue)
        assert list(first.records) == DIALOGUES[1::2]
        assert list(second.records) == DIALOGUES[::2]
    assert list(read_journal(path, Dialogue)) == DIALOGUES


def test_a_line_that_lacks_only_its_line_break_is_kept(tmp_path: Path) -> None:
    path, _ = _journal(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    assert list(read_journal(path, Dialogue)) == DIALOGUES
    with Journal(path, Dialogue) as journal:
        journal.append(DIALOGUES[0])
    assert list(read_journal(path, Dialogue)) == [*DIALOGUES, DIALOGUES[0]]


def test_the_records_of_a_journal_are_a_sequence(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl", Dialogue) as journal:
        journal.extend(DIALOGUES)
        assert journal.records == DIALOGUES
        assert journal.records[-1] == DIALOGUES[-1]
        assert journal.records[3:5] == DIALOGUES[3:5]
        assert len(journal.records) == len(DIALOGUES)
        with pytest.raises(IndexError):
            journal.records[len(DIALOGUES)]


@pytest.mark.slow
def test_a_journal_of_a_million_lines_opens_within_ten_seconds_in_half_a_gigabyte(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "journal.jsonl"
    with Journal(path, Dialogue) as journal:
        journal.append(DIALOGUES[0])
    line = path.read_bytes()
    with path.open("wb") as stream:
        for _ in range(1_000):
            stream.write(line * 1_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    with Journal(path, Dialogue) as journal:
        assert len(journal.records) == 1_000_000
        assert journal.records[-1] == DIALOGUES[0]
    assert time.monotonic() - begun < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024
