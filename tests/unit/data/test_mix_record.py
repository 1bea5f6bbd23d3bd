"""What a mix leaves in the tracker, and its picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from medctx.io.digest import of_file
from medctx.schemas.records import Dialogue, Domain
from medctx.tracking.mlflow_run import Run
from medctx_data.mix_folder import mlflow as tracked_data
from medctx_data.mix_folder import plot as figure
from medctx_data.mix_folder import write as folder
from medctx_data.mix_folder.mlflow import record
from medctx_data.mixture.config import MixConfig
from medctx_data.sources.card import Supply
from medctx_data.sources.cards import domain_of
from medctx_data.sources.config import SourceConfig
from tests.support.made_dialogues import Made, dialogue, made_of, supplied


class Noted(Run):
    """A Run that keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(None, "mix")
        self.logged: dict[str, object] = {}
        self.files: list[str] = []

    def params(self, values: Mapping[str, object]) -> None:
        self.logged |= values

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self.logged |= values

    def artifact(self, path: Path, folder: str | None = None) -> None:
        self.files.append(path.name)


CONFIG = MixConfig.model_validate({"tokens": 600, "ratio": "2:1", "sources": ["alpaca", "medquad"]})


def supply(source: SourceConfig) -> Supply:
    domain: Domain = domain_of(source)
    return supplied(source, [dialogue(f"{source.label}-{n}", domain, 2 + n % 20) for n in range(40)])


@pytest.fixture
def made() -> Made:
    return made_of(CONFIG, supply)


def test_shares_and_files_are_logged(made: Made, tmp_path: Path) -> None:
    manifest = folder.write_mix(tmp_path, made.draft)
    run = Noted()
    record(run, CONFIG, manifest, tmp_path)
    assert run.logged["digest"] == made.manifest.digest
    assert run.logged["ratio"] == "2:1"
    assert run.logged["general_token_share"] == pytest.approx(2 / 3, abs=0.05)
    assert {"mix.json", "config.yaml", "exclusions.jsonl"} <= set(run.files)


def test_the_tracker_is_given_the_data_set_with_digest_schema_and_shares(made: Made, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    folder.write_mix(tmp_path, made.draft)
    logged = tracked_data.dataset(made.manifest, tmp_path / "dialogues.jsonl", "half").to_dict()
    assert (logged["name"], logged["digest"]) == ("half", made.manifest.digest[:36])
    columns = {column["name"]: column for column in json.loads(logged["schema"])["mlflow_colspec"]}
    assert set(columns) == set(Dialogue.model_fields)
    assert set(columns["turns"]["items"]["properties"]) == {"role", "content"}
    profile = json.loads(logged["profile"])
    assert profile["num_rows"] == len(made.dialogues)
    assert profile["domains"]["general"]["asked"] == pytest.approx(2 / 3)
    assert profile["sources"]["medquad"]["tokens"] == pytest.approx(1 / 3, abs=0.05)


def test_a_written_mix_is_read_as_it_was(made: Made, tmp_path: Path) -> None:
    manifest = folder.write_mix(tmp_path, made.draft)
    assert manifest == folder.manifest_of(tmp_path)
    assert manifest.files == {"dialogues.jsonl": of_file(tmp_path / "dialogues.jsonl")}
    assert manifest.model_copy(update={"files": {}}) == made.manifest
    assert tuple(folder.checked(tmp_path, made.manifest)) == made.dialogues
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_picture_is_drawn_only_with_matplotlib(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "find_spec", lambda name: None)
    assert not figure.draw(made.manifest, tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    pytest.importorskip("matplotlib")
    assert figure.draw(made.manifest, tmp_path)
    assert (tmp_path / folder.FIGURE).read_bytes().startswith(b"\x89PNG")
    assert "general:medical" in (tmp_path / "composition.svg").read_text(encoding="utf-8")


def test_the_histogram_has_every_dialogue_once(made: Made) -> None:
    bins = made.manifest.lengths
    assert [length_bin.upto for length_bin in bins] == [16, 32]
    assert sum(length_bin.general + length_bin.medical for length_bin in bins) == len(made.dialogues)
