"""What a mix leaves in the tracker, and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from made_dialogues import dialogue, words

from medctx.records import Domain
from medctx.tracking import Run
from medctx_data import figure, folder
from medctx_data.mix import Mix, mix, wanted
from medctx_data.mix_config import MixConfig, SourceConfig
from medctx_data.record import record
from medctx_data.sources.card import Supply
from medctx_data.sources.registry import card_of, domain_of


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

    def dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        self.logged |= {"dataset": (path.name, name, digest, context)}


CONFIG = MixConfig.model_validate({"tokens": 600, "ratio": "2:1", "sources": ["alpaca", "medquad"]})


def supply(source: SourceConfig) -> Supply:
    domain: Domain = domain_of(source)
    rows = tuple(dialogue(f"{source.label}-{n}", domain, 2 + n % 20) for n in range(40))
    return Supply(card=card_of(source.source), citation="cited", rows=rows)


@pytest.fixture
def made() -> Mix:
    return mix(CONFIG, wanted(CONFIG), "request", open_one=supply, count=words)


def test_shares_digest_and_files_are_logged(made: Mix, tmp_path: Path) -> None:
    folder.write(tmp_path, CONFIG, made)
    run = Noted()
    record(run, CONFIG, made.manifest, tmp_path)
    digest = made.manifest.digest
    assert run.logged["dataset"] == ("dialogues.jsonl", tmp_path.name, digest, "training")
    assert run.logged["ratio"] == "2:1"
    assert run.logged["general_token_share"] == pytest.approx(2 / 3, abs=0.05)
    assert {"mix.json", "config.yaml"} <= set(run.files)


def test_a_written_mix_is_read_as_it_was(made: Mix, tmp_path: Path) -> None:
    folder.write(tmp_path, CONFIG, made)
    assert folder.read(tmp_path) == made
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_picture_is_drawn_only_with_matplotlib(made: Mix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "find_spec", lambda name: None)
    assert not figure.draw(made.manifest, tmp_path / "no.png")
    assert not (tmp_path / "no.png").exists()
    monkeypatch.undo()
    pytest.importorskip("matplotlib")
    assert figure.draw(made.manifest, tmp_path / "yes.png")
    assert (tmp_path / "yes.png").read_bytes().startswith(b"\x89PNG")


def test_the_histogram_has_every_dialogue_once(made: Mix) -> None:
    bins = made.manifest.lengths
    assert [one.upto for one in bins] == [16, 32]
    assert sum(one.general + one.medical for one in bins) == len(made.dialogues)
