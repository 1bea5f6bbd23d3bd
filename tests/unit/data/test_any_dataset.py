"""Any data set of the hub loads by name, subset, split and revision; a mix loads as a data set."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Dialogue
from medctx_data.cli import main as cli
from medctx_data.mix_folder import write as folder
from medctx_data.sources.card import Supply
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.hub import PINNED, restriction_of
from medctx_data.sources.registry import open_source
from tests.support import publisher
from tests.support.hub_stand_in import Hub

pytest.importorskip("datasets")
pyarrow = pytest.importorskip("pyarrow")

WARD = "clinic/ward-letters"
HEAD = """---
license: {licence}
configs:
- config_name: letters
  default: true
  data_files:
  - {{split: train, path: letters/train-*.parquet}}
  - {{split: test, path: letters/test-*.parquet}}
- config_name: chats
  data_files:
  - {{split: train, path: chats/*.parquet}}
---
# Letters
"""
CHAT = [{"from": "human", "value": "Does it hurt?"}, {"from": "gpt", "value": "At night."}]
PAIR = {"form": "pair", "columns": {"question": "{titel}: {frage}", "answer": "{antwort}"}}


def parquet(rows: list[dict[str, object]]) -> bytes:
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


def letters(word: str, size: int = 5) -> bytes:
    return parquet([{"titel": f"t{n}", "frage": f"{word} {n}?", "antwort": f"{word} is {n}."} for n in range(size)])


def published(server: Hub, word: str = "gout", licence: str = "cc-by-nc-4.0") -> str:
    return server.commit(
        WARD,
        {
            "README.md": HEAD.format(licence=licence).encode(),
            "letters/train-00000-of-00002.parquet": letters(word),
            "letters/train-00001-of-00002.parquet": letters(f"more {word}"),
            "letters/test-00000-of-00001.parquet": letters("held out"),
            "chats/a.parquet": parquet([{"conversations": CHAT}]),
        },
    )


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import datasets

    with publisher.published(tmp_path, monkeypatch) as stand_in:
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", stand_in.url)
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        yield stand_in


def opened(**keys: object) -> Supply:
    requests = {"source": "hub", "dataset": WARD, "domain": "medical", **keys}
    return open_source(SourceConfig.model_validate(requests), 0, CurriculumConfig.model_validate({}))


def texts(supply: Supply) -> list[list[str]]:
    assert supply.read is not None
    return [[turn.content for turn in dialogue.turns] for dialogue in supply.read() if isinstance(dialogue, Dialogue)]


def test_a_data_set_is_read_by_its_columns_subset_and_split(server: Hub) -> None:
    commit = published(server)
    supply = opened(**PAIR)
    result = texts(supply)
    assert result[0] == ["t0: gout 0?", "gout is 0."]
    assert [turn[1] for turn in result[4:6]] == ["gout is 4.", "more gout is 0."]
    assert len(result) == 10
    assert supply.revision == commit
    assert texts(opened(split="test", **PAIR))[0][1] == "held out is 0."
    assert texts(opened(subset="chats")) == [["Does it hurt?", "At night."]]


def test_the_commit_of_the_first_use_is_held(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "medctx"))
    first = published(server)
    before = opened(**PAIR)
    second = published(server, "fever", licence="mit")
    again = opened(**PAIR)
    assert (again.revision, again.identity, again.card.licence) == (first, before.identity, "cc-by-nc-4.0")
    assert texts(again)[0][1] == "gout is 0."
    newer = opened(revision=second, **PAIR)
    assert (texts(newer)[0][1], newer.revision, newer.card.restriction) == ("fever is 0.", second, "")
    assert newer.identity != before.identity
    assert len((tmp_path / "medctx" / PINNED).read_text().splitlines()) == 2


def mixed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["mix", *map(str, arguments)])


def test_a_mix_of_it_says_what_its_licence_forbids_and_needs_no_hub_again(
    server: Hub, tmp_path: Path, tokenizer_folder: Path
) -> None:
    commit = published(server)
    columns = "{question: '{titel} {frage}', answer: '{antwort}'}"
    source = f"{{source: hub, dataset: {WARD}, domain: medical, form: pair, columns: {columns}, amount: all}}"
    keys = ["--set", f"tokenizer={tokenizer_folder}", "--set", f"sources=[{source}]"]
    result = mixed(*keys, "--out", tmp_path / "one")
    assert result.exit_code == 0, result.output
    assert "licence of ward-letters: cc-by-nc-4.0 (non-commercial use only)" in " ".join(result.stderr.split())
    (share,) = folder.manifest_of(tmp_path / "one").sources
    assert (share.dialogues, share.revision, share.licence) == (10, commit, "cc-by-nc-4.0")
    assert (share.restriction, WARD in share.citation) == ("non-commercial use only", True)
    requests_before = len(server.request_lines)
    assert mixed(*keys, "--out", tmp_path / "two").exit_code == 0
    assert len(server.request_lines) == requests_before


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"dataset": "clinic/nothing"}, "does not exist or is not open to you"),
        ({"subset": "notes"}, "'notes' not found. Available: ['letters', 'chats']"),
        ({"split": "validation"}, "Bad split: validation"),
        ({"revision": "v9"}, "does not exist (404)"),
        ({"form": "pair"}, "needs the columns of both parts"),
        ({"form": "chat", "columns": {"speeker": "from"}}, "has no part 'speeker'"),
        ({"path": "a.jsonl"}, "remove its key path"),
    ],
)
def test_what_is_not_there_is_one_sentence(server: Hub, keys: dict[str, object], why: str) -> None:
    published(server)
    with pytest.raises(MedctxError) as error:
        opened(**keys)
    assert why in str(error.value)
    assert str(error.value).count("\n") == 0


def test_rows_without_the_columns_are_told_with_their_place(server: Hub) -> None:
    commit = published(server)
    supply = opened(form="pair", columns={"question": "{title}", "answer": "{antwort}"})
    assert supply.read is not None
    with pytest.raises(MedctxError, match=rf"{WARD}@{commit[:8]}\w*/train:1 has not the columns antwort, title"):
        list(supply.read())


def test_a_hub_that_breaks_off_is_tried_again_or_told(server: Hub) -> None:
    published(server)
    server.troubles = [503, 503]
    assert opened(**PAIR).revision == server.resolve(WARD, "main")


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("mit", ""),
        ("", "no licence is stated"),
        ("cc-by-nc-sa-4.0", "non-commercial use only; what is adapted"),
        ("other", "its own"),
    ],
)
def test_restrictions_are_told_in_words(licence: str, words: str) -> None:
    assert words in restriction_of(licence)
    assert bool(words) == bool(restriction_of(licence))


def test_columns_of_ones_own_file_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"frage": "Was hilft?", "antwort": "Ruhe."}) + "\n", encoding="utf-8")
    config = {"source": "file", "domain": "medical", "path": path, "form": "pair"}
    config["columns"] = {"question": "{frage}", "answer": "{antwort}"}
    supply = open_source(SourceConfig.model_validate(config), 0, CurriculumConfig.model_validate({}))
    assert texts(supply) == [["Was hilft?", "Ruhe."]]
    with pytest.raises(MedctxError, match="has columns of its own"):
        open_source(
            SourceConfig.model_validate(config | {"source": "alpaca", "domain": None}),
            0,
            CurriculumConfig.model_validate({}),
        )
