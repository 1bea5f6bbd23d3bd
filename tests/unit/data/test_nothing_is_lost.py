"""Whatever a training row holds is read, refused, or counted by name: no column, key or turn vanishes in silence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.io.jsonl import read_record
from medctx.io.mix_folder import read_dialogues
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.records import Dialogue
from medctx.tables.answers import Convention, detect_convention, right_letters
from medctx_data.cli.main import main
from medctx_data.mixture.config import MixConfig
from medctx_data.sources.card import RowNote, SkippedRow
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source
from tests.support.made_dialogues import made_of, qa_dialogue, supplied

Row = dict[str, object]
QA: list[Row] = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def read(tmp_path: Path, *rows: Row, **keys: object) -> tuple[list[Dialogue], list[SkippedRow], Counter[str]]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    config = SourceConfig.model_validate({"source": "file", "path": path, "domain": "medical", **keys})
    supply = open_source(config, 0, CurriculumConfig.model_validate({}))
    assert supply.read is not None
    results = list(supply.read())
    return (
        [row for row in results if isinstance(row, Dialogue)],
        [row for row in results if isinstance(row, SkippedRow)],
        Counter(row.text for row in results if isinstance(row, RowNote)),
    )


def turns(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in dialogue.turns]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"system": "Be brief.", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
            [("system", "Be brief."), ("user", "q"), ("assistant", "a")],
        ),
        (
            {"instruction": "q2", "output": "a2", "history": [["q1", "a1"]], "system": "s"},
            [("system", "s"), ("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")],
        ),
        ({"instruction": "q", "input": "", "output": "a", "history": []}, [("user", "q"), ("assistant", "a")]),
        (
            {"messages": [{"role": "system", "content": "s"}, *QA], "system": "s"},
            [("system", "s"), ("user", "q"), ("assistant", "a")],
        ),
        (
            {"messages": [{"role": "system", "content": "of the row"}, *QA], "system_prompt": "of the file"},
            [("system", "of the file\n\nof the row"), ("user", "q"), ("assistant", "a")],
        ),
        ({"question": "q", "answer": "a", "system": None}, [("user", "q"), ("assistant", "a")]),
        (
            {"messages": [QA[0], {"role": "assistant", "content": "a", "reasoning_content": "because"}]},
            [("user", "q"), ("assistant", "<think>\nbecause\n</think>\n\na")],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, QA[1]]},
            [("user", "q"), ("assistant", "a")],
        ),
    ],
)
def test_system_history_reasoning_and_parts_are_read(row: Row, expected: object, tmp_path: Path) -> None:
    (dialogue,), skipped, notes = read(tmp_path, row)
    assert turns(dialogue) == expected
    assert not skipped and not notes


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ({"instruction": "q", "output": "a", "topic": "ward"}, "column topic not read"),
        ({"messages": QA, "score": 3}, "column score not read"),
        ({"messages": [{**QA[0], "name": "Ann"}, QA[1]]}, "message key name not read"),
        ({"messages": [{"role": "assistant", "content": "hello"}, *QA]}, "answers without a question cut"),
        ({"messages": [*QA, {"role": "user", "content": "?"}]}, "turns without an answer cut from the end"),
        ({"messages": [{"role": "developer", "content": "s"}, *QA]}, "developer turns read as system turns"),
        ({"messages": [QA[0], *QA]}, "turns of one speaker in a row joined"),
    ],
)
def test_what_is_not_read_or_cut_is_counted_by_name(row: Row, note: str, tmp_path: Path) -> None:
    dialogues, skipped, notes = read(tmp_path, row, row, {"messages": QA})
    assert len(dialogues) == 3 and not skipped
    assert [(text.startswith(note), count) for text, count in notes.items()] == [(True, 2)]


def test_reasoning_can_be_left_out_and_is_counted_then(tmp_path: Path) -> None:
    answer = {"role": "assistant", "content": "a", "reasoning_content": "because"}
    (dialogue,), _, notes = read(tmp_path, {"messages": [QA[0], answer]}, reasoning="drop")
    assert turns(dialogue)[-1] == ("assistant", "a") and notes == {"reasoning left out": 1}


@pytest.mark.parametrize("key", ["weight", "train"])
def test_turns_without_weight_carry_no_loss(key: str, tmp_path: Path) -> None:
    messages = [QA[0], {**QA[1], key: 0}, {"role": "user", "content": "q2"}, {**QA[1], key: 1}]
    (dialogue,), _, notes = read(tmp_path, {"system": "s", "messages": messages})
    assert dialogue.without_loss == (2,) and not notes


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"messages": [QA[0], {**QA[1], "weight": 0.5}]}, "has a turn with weight 0.5"),
        ({"messages": [QA[0], {**QA[1], "weight": 0}]}, "has no answer with a weight above 0"),
        ({"messages": [QA[0], {"role": "tool", "content": "42"}, QA[1]]}, "has a turn of a tool"),
        ({"messages": [QA[0], {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]}, "calls a tool"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}, QA[1]]},
            "part of the type 'image'",
        ),
        ({"instruction": "q", "output": "a", "history": "q1: a1"}, "has a history that is no list of pairs"),
        ({"instruction": "q", "output": "a", "history": [["q1"]]}, "has a history that is no list of pairs"),
        ({"instruction": "q \ud835", "output": "a"}, "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(row: Row, detail: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({"messages": QA}) + "\n", encoding="utf-8")
    config = SourceConfig.model_validate({"source": "file", "path": path, "domain": "medical"})
    supply = open_source(config, 0, CurriculumConfig.model_validate({}))
    assert supply.read is not None
    (skipped,) = [value for value in supply.read() if isinstance(value, SkippedRow)]
    assert skipped.place == f"{path}:1" and detail in skipped.detail


@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_key_that_stands_twice_is_refused(form: str, tmp_path: Path) -> None:
    twice = '{"question": "q", "answer": "a", "answer": "b"}'
    good = '{"question": "q", "answer": "a"}'
    path = tmp_path / "rows.json"
    path.write_text(f"[{twice}, {good}]" if form == "array" else f"{twice}\n{good}\n", encoding="utf-8")
    config = SourceConfig.model_validate({"source": "file", "path": path, "domain": "medical"})
    supply = open_source(config, 0, CurriculumConfig.model_validate({}))
    assert supply.read is not None
    (skipped,) = [value for value in supply.read() if isinstance(value, SkippedRow)]
    assert skipped.detail == "has the key 'answer' twice"


def test_a_csv_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("question,answer,answer\nq,a,b\n", encoding="utf-8")
    config = SourceConfig.model_validate({"source": "file", "path": tmp_path / "rows.csv", "domain": "medical"})
    with pytest.raises(MedctxError, match="names the column 'answer' twice"):
        open_source(config, 0, CurriculumConfig.model_validate({}))


OPTIONS = {"A": "O", "B": "A", "C": "B", "D": "none"}


@pytest.mark.parametrize(
    ("answers", "answer", "letters"),
    [
        (["B", "A"], "B", ["B"]),
        (["B", "none"], "B", ["C"]),
        (["none", "O"], "A", ["B"]),
        ([0, 1, 2], 2, ["C"]),
        ([1, 4], 2, ["B"]),
        ([1, 2], "D", ["D"]),
        (["A, C"], "A, C", ["A", "C"]),
    ],
)
def test_letters_texts_and_numbers_are_told_apart_by_the_whole_source(
    answers: list[object], answer: object, letters: list[str]
) -> None:
    convention = detect_convention((letter, OPTIONS) for letter in answers)
    assert right_letters(answer, OPTIONS, convention) == letters


@pytest.mark.parametrize(
    ("answers", "answer", "why"),
    [
        ([1, 2], 2, "whether its answers count from 0 or from 1"),
        (["D", "none", "B"], "B", "a letter and also the text of option C"),
        (["A"], "nothing of it", "none of its options"),
        ([0], 7, "none of its options"),
        ([0], -1, "none of its options"),
        ([1, 4], 0, "none of its options"),
        (["A"], None, "none of its options"),
        (["A"], True, "none of its options"),
    ],
)
def test_an_answer_that_is_not_certain_is_refused(answers: list[object], answer: object, why: str) -> None:
    convention = detect_convention((letter, OPTIONS) for letter in answers)
    with pytest.raises(ValueError, match=why):
        right_letters(answer, OPTIONS, convention)


@given(st.lists(st.integers(0, 3), min_size=1), st.sampled_from([0, 1]))
def test_a_source_of_numbers_is_read_right_or_not_at_all(places: list[int], base: int) -> None:
    answers = [place + base for place in places]
    convention = detect_convention((answer, OPTIONS) for answer in answers)
    if convention.base is not None:
        assert convention.base == base
        assert [right_letters(answer, OPTIONS, convention) for answer in answers] == [
            ["ABCD"[place]] for place in places
        ]


@given(st.lists(st.sampled_from("ABCD"), min_size=1))
def test_a_source_of_letters_is_read_as_letters_whatever_the_options_say(answers: list[str]) -> None:
    convention = detect_convention((answer, OPTIONS) for answer in answers)
    # D is no text of an option, so a source with it is one of letters; without it texts are as likely.
    assert convention == Convention(None, "letter")
    assert [right_letters(answer, OPTIONS, convention) for answer in answers] == [[answer] for answer in answers]


def archive(base: int, rights: list[int]) -> list[Row]:
    return [
        {
            "question": f"Q{number}?",
            "opa": "liver",
            "opb": "pancreas",
            "opc": "spleen",
            "opd": "lung",
            "cop": right + base,
        }
        for number, right in enumerate(rights)
    ]


@pytest.mark.parametrize("base", [0, 1])
def test_a_copy_of_medmcqa_is_read_by_the_base_its_rows_show(base: int, tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text("\n".join(json.dumps(row) for row in archive(base, [1, 0, 3])), encoding="utf-8")
    supply = open_source(
        SourceConfig.model_validate({"source": "medmcqa-train", "path": path}), 0, CurriculumConfig.model_validate({})
    )
    assert supply.read is not None
    answers = [row.turns[-1].content for row in supply.read() if isinstance(row, Dialogue)]
    assert answers == ["pancreas", "liver", "lung"]


def test_a_copy_that_shows_no_base_needs_the_key(tmp_path: Path) -> None:
    rows = archive(1, [0, 1])
    keys: dict[str, object] = {"form": "choice", "columns": {"options": "opa,opb,opc,opd", "answer": "cop"}}
    with pytest.raises(MedctxError, match="set the source's key answer_base to 0 or 1"):
        read(tmp_path, *rows, **keys)
    dialogues, _, _ = read(tmp_path, *rows, **keys, answer_base=1)
    assert [dialogue.turns[-1].content for dialogue in dialogues] == ["liver", "pancreas"]


def test_a_column_map_of_fixed_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match=r"fixed text 'Question' and names no column; .*'{Question}'"):
        read(tmp_path, {"Question": "q"}, form="pair", columns={"question": "Question", "answer": "{Answer}"})


@pytest.fixture
def mix(tokenizer_folder: Path, tmp_path: Path) -> Callable[..., tuple[str, MixManifest]]:
    """Mix general rows with a medical source; returns what is printed and the manifest."""

    def mixed(path: Path, *overrides: str) -> tuple[str, MixManifest]:
        general = tmp_path / "general.jsonl"
        general.write_text("".join(json.dumps({"instruction": f"q{n}", "output": "a"}) + "\n" for n in range(40)))
        sources = f"[{{source: file, path: {general}, domain: general, name: gen}}, "
        sources += f"{{source: file, path: {path}, domain: medical, name: med}}]"
        keys = [f"tokenizer={tokenizer_folder}", "by=examples examples=4", *overrides, f"sources={sources}"]
        options = [part for key in keys for part in ("--set", key)]
        result = CliRunner().invoke(main, ["mix", *options, "--out", str(tmp_path / "mix")])
        assert result.exit_code == 0, result.output
        return result.output, read_record(tmp_path / "mix" / MIX_FILE, MixManifest)

    return mixed


def test_the_files_of_a_folder_are_named_and_held_out_splits_left(
    mix: Callable[..., tuple[str, MixManifest]], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train-1", "train-2", "test", "my_dev"):
        row = {"instruction": f"q {name}", "output": f"a {name}", "topic": "ward"}
        (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    output, manifest = mix(folder)
    assert "train-1.jsonl, train-2.jsonl; not from my_dev.jsonl, test.jsonl" in " ".join(output.split())
    (source,) = [manifest_source for manifest_source in manifest.sources if manifest_source.label == "med"]
    assert source.files == ("train-1.jsonl", "train-2.jsonl")
    assert source.notes == {"column topic not read": 2}
    assert "column topic not read" in output
    contents = {dialogue.turns[-1].content for dialogue in read_dialogues(tmp_path / "mix")}
    assert not {"a test", "a my_dev"} & contents


@pytest.mark.parametrize("ratio", ["1:1", "1:3"])
def test_a_mix_by_loss_tokens_keeps_the_ratio_of_loss_tokens(ratio: str) -> None:
    general = [qa_dialogue(f"g{n}", "a long question " * 9, "word " * (1 + n % 5), "general") for n in range(400)]
    medical = [qa_dialogue(f"m{n}", "short", "word " * (1 + n % 7)) for n in range(400)]
    config = MixConfig.model_validate(
        {"ratio": ratio, "by": "loss-tokens", "loss_tokens": 800, "sources": ["alpaca", "medquad"]}
    )
    manifest = made_of(
        config, lambda source: supplied(source, general if source.source == "alpaca" else medical)
    ).manifest
    expected = {"1:1": 0.5, "1:3": 0.25}[ratio]
    by_loss, by_tokens = manifest.domains[0].loss_share, manifest.domains[0].token_share
    assert by_loss == pytest.approx(expected, abs=0.01) and by_tokens > 2 * expected * 0.75
    assert 780 < manifest.loss_tokens <= 800
    assert sum(source.loss_tokens for source in manifest.sources) == manifest.loss_tokens
