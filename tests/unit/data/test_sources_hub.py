"""Every published source over HTTP, from a stand-in of the hub that serves rows in the publisher's own columns."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.fetch import pinned
from medctx.fetch.pinned import RECORD, Remote
from medctx.schemas.records import Dialogue
from medctx_data.cli.tables import described, recorded
from medctx_data.sources.card import RowNote, SourceCard, Supply
from medctx_data.sources.cards import CARDS
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source
from tests.support.hub_stand_in import Hub
from tests.support.publisher import published

Texts = tuple[str, ...]
Native = tuple[dict[str, object], Texts]

PUBMEDQA = {"context": {"contexts": ["Part one.", "Part two."], "labels": ["A", "B"]}, "question": "Does it?"}
SHAREGPT = [{"from": "gpt", "value": "lost"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
MESSAGES = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
ALPACA = {"instruction": "do", "input": "this", "output": "done"}

# One row as its publisher writes it, and what its turns say.
NATIVE: dict[str, Native] = {
    "alpaca": (ALPACA | {"text": "Below is ..."}, ("do\n\nthis", "done")),
    "alpaca-gpt4": (ALPACA, ("do\n\nthis", "done")),
    "alpaca-gpt4-zh": (ALPACA, ("do\n\nthis", "done")),
    "belle": (ALPACA | {"input": ""}, ("do", "done")),
    "chatdoctor": (ALPACA, ("do\n\nthis", "done")),
    "dolly": (
        {"instruction": "do", "context": "", "response": "done", "category": "open_qa"},
        ("do", "done"),
    ),
    "sharegpt": ({"id": "x_1", "conversations": SHAREGPT}, ("q", "a")),
    "ultrachat": ({"prompt": "q", "prompt_id": "1", "messages": MESSAGES}, ("s", "q", "a")),
    "longalign": ({"messages": MESSAGES, "length": 3}, ("s", "q", "a")),
    "tulu": ({"id": "1", "messages": MESSAGES, "source": "part"}, ("s", "q", "a")),
    "gsm8k": ({"question": "q", "answer": "a\n#### 1"}, ("q", "a\n#### 1")),
    "medquad": ({"question_focus": "f", "question": "q", "answer": "a"}, ("q", "a")),
    "medalpaca-flashcards": (
        {"instruction": "Answer this question truthfully", "input": "q", "output": "a"},
        ("q", "a"),
    ),
    "medmcqa-train": (
        {"id": "u", "question": "q", "opa": "w", "opb": "x", "opc": "y", "opd": "z", "cop": 2, "choice_type": "single"},
        ("q\n\nA. w\nB. x\nC. y\nD. z", "y"),
    ),
    "pubmedqa-train": (
        PUBMEDQA | {"pubid": 11, "long_answer": "It does.", "final_decision": "yes"},
        ("Part one.\nPart two.\n\nDoes it?\n\nA. yes\nB. no\nC. maybe", "yes"),
    ),
    "mts-dialog": (
        {"ID": "0", "section_header": "GENHX", "section_text": "Well.", "dialogue": "Doctor: Hi.\nPatient: Hi."},
        (
            "Summarize the doctor-patient dialogue into the GENHX section of a clinical note.\n\n"
            "Doctor: Hi.\nPatient: Hi.",
            "Well.",
        ),
    ),
    "huatuo-sft": ({"data": ["问\uff1aq", "答\uff1aa", "问\uff1ar", "答\uff1ab"]}, ("q", "a", "r", "b")),
    "huatuogpt2-sft": ({"id": 1, "conversations": SHAREGPT[1:]}, ("q", "a")),
    "disc-med-sft": ({"_id": "1", "source": "MedDialog", "conversation": MESSAGES[1:]}, ("q", "a")),
    "shennong-tcm": ({"query": "q", "response": "a"}, ("q", "a")),
    "cmedqa2": ({"question": "q", "answer": "a"}, ("q", "a")),
    "cmexam-train": (
        {
            "Question": "q",
            "Options": [{"key": key, "value": key.lower()} for key in "ABCDE"],
            "Answer": "BD",
            "Explanation": "e",
        },
        ("q\n\nA. a\nB. b\nC. c\nD. d\nE. e", "b\uff1bd"),
    ),
}
LINES = {"belle", "shennong-tcm", "cmedqa2"}  # a .json file that holds JSON lines
PUBLISHED = sorted(name for name, card in CARDS.items() if card.files)


def written(name: str, file: str, rows: Sequence[dict[str, object]]) -> bytes:
    """Rows as the bytes of a file of the kind its name says."""
    if file.endswith(".parquet"):
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        stream = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), stream)
        return stream.getvalue()
    if file.endswith(".csv"):
        quoted = [[json.dumps(str(cell)).replace("\\n", "\n") for cell in row.values()] for row in rows]
        return "\n".join([",".join(rows[0]), *(",".join(row) for row in quoted)]).encode()
    if file.endswith(".jsonl") or name in LINES:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    return json.dumps(rows, ensure_ascii=False, indent=1).encode()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with published(tmp_path, monkeypatch) as server:
        yield server


def moved(remote: Remote, server: Hub) -> Remote:
    """A file of the web as the stand-in serves it."""
    path = remote.url.partition("//")[2].partition("/")[2]
    return remote.model_copy(update={"url": f"{server.url}/{path}"})


def publish(name: str, server: Hub, monkeypatch: pytest.MonkeyPatch, rows: Sequence[dict[str, object]]) -> SourceCard:
    """Serve ``rows`` as every file of a source, and the list of an exam's ids."""
    card = CARDS[name]
    if card.held_out:
        held_out = moved(card.held_out, server)
        monkeypatch.setitem(CARDS, name, card.model_copy(update={"held_out": held_out}))
        server.plain[held_out.place.removeprefix(server.url)] = b'{"12": "no", "13": "yes"}'
    if card.hub:
        server.commit(card.hub, {file.file: written(name, file.file, rows) for file in card.files})
    else:
        there = tuple(moved(file, server) for file in card.files)
        monkeypatch.setitem(CARDS, name, card.model_copy(update={"files": there}))
        for exclusion in there:
            server.plain[exclusion.place.removeprefix(server.url)] = written(name, exclusion.url, rows)
    return CARDS[name]


def opened(**keys: object) -> Supply:
    return open_source(SourceConfig.model_validate(keys), 0, CurriculumConfig.model_validate({}))


def dialogues(supply: Supply) -> list[Dialogue]:
    assert supply.read is not None
    return [row for row in supply.read() if isinstance(row, Dialogue)]


def test_every_published_source_has_a_row_here() -> None:
    assert set(NATIVE) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_source_is_fetched_and_read_in_its_own_columns(
    name: str, stand_in: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, texts = NATIVE[name]
    card = publish(name, stand_in, monkeypatch, [row, row])
    supply = opened(source=name)
    result = dialogues(supply)
    assert len(result) == 2 * len(card.files)
    assert {tuple(turn.content for turn in dialogue.turns) for dialogue in result} == {texts}
    assert {(source.domain, source.source, source.licence) for source in result} == {(card.domain, name, card.licence)}
    assert {dialogue.language for dialogue in result} == {card.language or "en"}
    assert len({entry.id for entry in result}) == len(result)
    if card.hub:
        assert supply.revision == stand_in.resolve(card.hub, "main")
        assert f"(revision {supply.revision})" in supply.citation


def test_the_revision_of_the_first_download_is_held(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first_row, other_row = ({"query": "q", "response": answer} for answer in ("first", "other"))
    publish("shennong-tcm", stand_in, monkeypatch, [first_row])
    first = opened(source="shennong-tcm")
    publish("shennong-tcm", stand_in, monkeypatch, [other_row])
    again = opened(source="shennong-tcm")
    assert (again.revision, again.identity) == (first.revision, first.identity)
    assert [dialogue.turns[-1].content for dialogue in dialogues(again)] == ["first"]
    newest = stand_in.resolve("michaelwzhu/ShenNong_TCM_Dataset", "main")
    named = opened(source="shennong-tcm", revision=newest)
    assert [dialogue.turns[-1].content for dialogue in dialogues(named)] == ["other"]
    assert (named.revision, named.identity != first.identity) == (newest, True)
    assert len((tmp_path / "medctx" / RECORD).read_text().splitlines()) == 2


def test_files_of_one_source_are_of_one_commit(stand_in: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    row = NATIVE["ultrachat"][0]
    publish("ultrachat", stand_in, monkeypatch, [row])
    repo = CARDS["ultrachat"].hub
    first = stand_in.resolve(repo, "main")
    requests: list[str] = []
    fetch = pinned.from_hub

    def interrupted(repo: str, file: str, revision: str, *, force: bool = False) -> tuple[Path, str]:
        requests.append(revision)
        result = fetch(repo, file, revision, force=force)
        publish("ultrachat", stand_in, monkeypatch, [row, row])
        return result

    monkeypatch.setattr(pinned, "from_hub", interrupted)
    assert opened(source="ultrachat").revision == first
    assert requests == ["main", first, first]


def test_rows_that_belong_to_an_exam_are_told_apart(stand_in: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    row = NATIVE["pubmedqa-train"][0]
    publish("pubmedqa-train", stand_in, monkeypatch, [row | {"pubid": pubid} for pubid in (11, 12, 13, 14)])
    supply = opened(source="pubmedqa-train")
    assert supply.read is not None
    results = [row for row in supply.read() if not isinstance(row, RowNote)]
    assert [dialogue.facts if isinstance(dialogue, Dialogue) else dialogue.reason for dialogue in results] == [
        ("pubmedqa-11",),
        "held_out",
        "held_out",
        ("pubmedqa-14",),
    ]


def test_a_local_path_is_read_instead_of_what_is_published(stand_in: Hub, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(written("dolly", "mine.jsonl", [NATIVE["dolly"][0]]))
    supply = opened(source="dolly", path=path)
    assert len(dialogues(supply)) == 1
    assert (supply.revision, supply.citation) == ("", CARDS["dolly"].citation)
    assert not stand_in.request_lines


def test_a_source_that_was_withdrawn_is_one_sentence(stand_in: Hub) -> None:
    with pytest.raises(MedctxError, match=r"databricks-dolly-15k\.jsonl of the data set .* or give a local file"):
        opened(source="dolly")


def test_a_card_tells_where_the_files_lie_and_what_they_are_held_to(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(described(CARDS["ultrachat"]))
    assert before["data set"] == "HuggingFaceH4/ultrachat_200k"
    assert before["files"].count("data/train_sft-") == 3
    assert before["revision"].startswith("none recorded")
    publish("ultrachat", stand_in, monkeypatch, [NATIVE["ultrachat"][0]])
    revision = opened(source="ultrachat").revision
    publish("ultrachat", stand_in, monkeypatch, [NATIVE["ultrachat"][0]] * 2)
    assert dict(described(CARDS["ultrachat"]))["revision"].startswith(f"{revision} (recorded on 20")
    assert len(recorded(CARDS["ultrachat"].files)) == 3


def test_every_card_is_told_in_plain_text() -> None:
    for card in CARDS.values():
        output = described(card)
        assert all(value and "Remote(" not in value for _, value in output)
        assert {"licence", "citation", "form"} <= dict(output).keys()
