"""Mixes as Parquet shards: the same Dialogues, readable by others, and only the shard in work is lost by a kill."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.io.mix_folder import files_of, read_dialogues
from medctx.schemas.mix import MIX_FILE
from medctx.schemas.records import Dialogue
from medctx_data.mix_folder import parquet as shards
from medctx_data.mix_folder import write as folder
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draft import Draft
from medctx_data.sources.card import Supply
from medctx_data.sources.cards import domain_of
from medctx_data.sources.config import SourceConfig
from tests.support.made_dialogues import Made, dialogue, made_of, supplied

pytest.importorskip("pyarrow")


def supply(source: SourceConfig) -> Supply:
    domain = domain_of(source)
    return supplied(source, [dialogue(f"{source.label}-{n}", domain, 2 + n % 20) for n in range(60)])


def made(**keys: object) -> Made:
    keys = {"by": "examples", "examples": 100, "sources": ["alpaca", "medquad"], "format": "parquet", **keys}
    return made_of(MixConfig.model_validate(keys), supply)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 30)


def test_shards_hold_the_dialogues_of_the_lines(tmp_path: Path) -> None:
    shards, lines = folder.write_mix(tmp_path / "shards", made().draft), folder.write_mix(
        tmp_path / "lines", made(format="jsonl").draft
    )  # fmt: skip
    assert shards.digest == lines.digest
    assert len(files_of(tmp_path / "shards")) == 4
    assert list(read_dialogues(tmp_path / "shards")) == list(read_dialogues(tmp_path / "lines"))
    assert len(list(folder.checked(tmp_path / "shards", shards))) == 100
    assert not [path for path in (tmp_path / "shards").iterdir() if path.name.startswith(".")]


def test_only_the_shard_in_work_is_lost_by_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = made().draft
    write = shards.write_shard

    def killed(path: Path, dialogues: Iterable[Dialogue]) -> None:
        if "00002" in path.name:
            raise KeyboardInterrupt
        write(path, dialogues)

    monkeypatch.setattr(shards, "write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.write_mix(tmp_path, draft)
    monkeypatch.setattr(shards, "write_shard", write)
    assert not (tmp_path / MIX_FILE).exists()
    before = {path.name: path.stat().st_mtime_ns for path in files_of(tmp_path)}
    assert len(before) == 2
    manifest = folder.write_mix(tmp_path, draft)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in before} == before
    assert manifest.digest == made().manifest.digest
    assert manifest.model_copy(update={"files": {}}) == made().manifest


def test_shards_of_another_unfinished_mix_are_not_taken_over(tmp_path: Path) -> None:
    first, second = made().draft, made(seed=1).draft
    folder.write_mix(tmp_path, first)
    (tmp_path / MIX_FILE).unlink()
    (tmp_path / shards.UNFINISHED).write_text("another", encoding="utf-8")
    other = Draft(second.config, "other", second.samples, second.entries)
    assert folder.write_mix(tmp_path, other).digest == made(seed=1).manifest.digest


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_others_load_the_files_or_the_whole_folder(tmp_path: Path, form: str) -> None:
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    mixed = made(format=form)
    folder.write_mix(tmp_path / "mix", mixed.draft)
    files = [str(path) for path in files_of(tmp_path / "mix")]
    cache = str(tmp_path / "cache")
    builder = "json" if form == "jsonl" else form
    by_file = datasets.load_dataset(builder, data_files=files, split="train", cache_dir=cache)
    loaded = datasets.load_dataset(str(tmp_path / "mix"), split="train", cache_dir=cache)
    assert by_file["id"] == loaded["id"]
    assert loaded["id"] == [dialogue.id for dialogue in mixed.dialogues]
    assert loaded[0]["turns"] == [turn.model_dump() for turn in mixed.dialogues[0].turns]


def test_a_mix_says_for_a_person_what_it_is_and_what_its_licences_forbid(tmp_path: Path) -> None:
    mixed = made()
    folder.write_mix(tmp_path / "ward-mix", mixed.draft)
    text = (tmp_path / "ward-mix" / "README.md").read_text(encoding="utf-8")
    assert "# ward-mix" in text and mixed.manifest.digest in text
    assert "| alpaca | general | 50.00 % |" in text
    assert "Restriction: non-commercial use only" in text


def test_a_folder_without_dialogues_is_told(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match="holds no Dialogues"):
        list(read_dialogues(tmp_path))


def test_a_damaged_shard_is_told(tmp_path: Path) -> None:
    (tmp_path / "dialogues-00000-of-00001.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(MedctxError, match="cannot be read as Parquet"):
        list(read_dialogues(tmp_path))
