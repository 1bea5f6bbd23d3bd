"""Own files are read without a word about their format, form or columns; what was detected is said and can be set."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.io.jsonl import read_record
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.records import Dialogue
from medctx.tables import json_rows
from medctx.tables.answers import AnswerError
from medctx.tables.choices import convention_of, layout_convention, read_question
from medctx.tables.files import rows as file_rows
from medctx.tables.folders import locate
from medctx.tables.layouts import detect_layout
from medctx.tables.options import labelled_options, options_in
from medctx_data.cli.main import main
from medctx_data.mixture.config import MixConfig
from medctx_data.sources.card import RowNote, SkippedRow
from medctx_data.sources.cards import domain_of
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.detect import detect_form
from medctx_data.sources.registry import open_source

pyarrow = pytest.importorskip("pyarrow")

Row = dict[str, object]
ROWS: list[Row] = [{"question": f'q{n}, said "so"\nor so?', "answer": f"a{n}; é"} for n in range(7)]
QA: list[Row] = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def read(source: object, **keys: object) -> list[object]:
    config = SourceConfig.model_validate(source)
    config = config.model_copy(update={"domain": config.domain or "medical", **keys})
    supply = open_source(config, 0, CurriculumConfig.model_validate({}))
    assert supply.read is not None
    return list(supply.read())


def contents(results: list[object]) -> list[list[str]]:
    return [[turn.content for turn in row.turns] for row in results if isinstance(row, Dialogue)]


def as_lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_csv(mark: str) -> Callable[[list[Row]], bytes]:
    def written(rows: list[Row]) -> bytes:
        import csv
        import io

        stream = io.StringIO()
        table = csv.DictWriter(stream, list(rows[0]), delimiter=mark)
        table.writeheader()
        table.writerows(rows)
        return stream.getvalue().encode()

    return written


def as_parquet(rows: list[Row]) -> bytes:
    from pyarrow import parquet

    stream = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return bytes(stream.getvalue())


def as_arrow(rows: list[Row]) -> bytes:
    table = pyarrow.Table.from_pylist(rows)
    stream = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return bytes(stream.getvalue())


def as_zst(content: bytes) -> bytes:
    return bytes(pyarrow.compress(content, codec="zstd", asbytes=True))


FORMATS: dict[str, Callable[[list[Row]], bytes]] = {
    "a.jsonl": as_lines,
    "a.ndjson": as_lines,
    "a.json": as_lines,
    "b.json": lambda rows: json.dumps(rows, indent=1, ensure_ascii=False).encode(),
    "c.json": lambda rows: json.dumps({"version": 1, "data": rows}).encode(),
    "d.json": lambda rows: json.dumps({"train": rows, "test": rows[:1]}, indent=2).encode(),
    "e.json": lambda rows: json.dumps({f"id-{n}": row for n, row in enumerate(rows)}).encode(),
    "f.json": lambda rows: json.dumps({key: [row[key] for row in rows] for key in rows[0]}).encode(),
    "a.csv": as_csv(","),
    "b.csv": as_csv(";"),
    "c.csv": lambda rows: b"\xef\xbb\xbf" + as_csv("\t")(rows),
    "a.tsv": as_csv("\t"),
    "a.parquet": as_parquet,
    "a.arrow": as_arrow,
    "a.jsonl.gz": lambda rows: gzip.compress(as_lines(rows)),
    "a.jsonl.zst": lambda rows: as_zst(as_lines(rows)),
    "a.csv.zst": lambda rows: as_zst(as_csv(",")(rows)),
    "a.csv.gz": lambda rows: gzip.compress(as_csv(";")(rows)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_dialogues(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FORMATS[name](ROWS))
    result = read(str(tmp_path / name))
    assert contents(result) == [[row["question"], row["answer"]] for row in ROWS]
    assert not [row for row in result if isinstance(row, SkippedRow)]


@pytest.mark.parametrize("name", [name for name in FORMATS if name.endswith((".gz", ".zst", ".parquet", ".arrow"))])
def test_a_file_that_was_cut_is_an_error_and_never_fewer_rows(name: str, tmp_path: Path) -> None:
    rows: list[Row] = [{"question": random.Random(n).randbytes(40).hex(), "answer": f"a{n}"} for n in range(3_000)]
    content = FORMATS[name](rows)
    for share in (0.5, 0.9):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        with pytest.raises(MedctxError):
            list(file_rows(tmp_path / name))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "question": st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1).filter(
                    str.strip
                ),
                "answer": st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1).filter(
                    str.strip
                ),
            }
        ),
        min_size=1,
        max_size=5,
    ),
    mark=st.sampled_from(",;\t"),
)
def test_whatever_texts_a_table_holds_none_is_lost(rows: list[Row], mark: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(as_csv(mark)(rows))
    assert [row.columns for row in file_rows(tmp_path / "t.csv")] == rows


def test_a_quotation_mark_that_is_never_closed_swallows_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('question,answer\nq1,a1\n"q2,a2\nq3,a3\n')
    with pytest.raises(MedctxError, match=r"t\.csv is not a table from line 4 on .*close the quotation mark"):
        list(file_rows(tmp_path / "t.csv"))


@pytest.mark.parametrize(("encoding", "named"), [("cp1252", "cp1252"), ("gb18030", "gb"), ("utf-16", "utf-16")])
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json"])
def test_an_old_encoding_is_named(encoding: str, named: str, name: str, tmp_path: Path) -> None:
    texts = {"gb18030": ("感冒了怎么办，需要吃什么药呢", "多喝水，好好休息，必要时去看医生。")}
    question, answer = texts.get(encoding, ("Où est la clé près du café élégant ?", "À côté de la fenêtre, là-bas."))
    rows: list[Row] = [{"question": question, "answer": answer}] * 20
    text = FORMATS["b.json" if name == "t.json" else name.replace("t.", "a.")](rows).decode()
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(MedctxError) as error:
        read(str(tmp_path / name))
    assert "UTF" in str(error.value) and "iconv -f" in str(error.value) and named in str(error.value)


FORMS: list[tuple[Row, str, list[tuple[str, str]]]] = [
    ({"messages": QA}, "chat", [("user", "q"), ("assistant", "a")]),
    ({"messages": json.dumps(QA)}, "chat", [("user", "q"), ("assistant", "a")]),
    (
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "system": "s"},
        "chat",
        [("system", "s"), ("user", "q"), ("assistant", "a")],
    ),
    (
        {"Dialogue": [{"speaker": "patient", "text": "q"}, {"speaker": "doctor", "text": "a"}]},
        "chat",
        [("user", "q"), ("assistant", "a")],
    ),
    (
        {"instruction": "i", "input": "x", "output": "a", "history": [["q1", "a1"]], "system": "s"},
        "alpaca",
        [("system", "s"), ("user", "q1"), ("assistant", "a1"), ("user", "i\n\nx"), ("assistant", "a")],
    ),
    ({"instruction": "i", "context": "c", "response": "a"}, "alpaca", [("user", "i\n\nc"), ("assistant", "a")]),
    ({"prompt": "q", "completion": "a"}, "pair", [("user", "q"), ("assistant", "a")]),
    ({"prompt": [QA[0]], "completion": [QA[1]]}, "completion", [("user", "q"), ("assistant", "a")]),
    ({"prompt": [QA[0]], "completion": "a"}, "completion", [("user", "q"), ("assistant", "a")]),
    ({"Question": "q", "Answer": "a"}, "pair", [("user", "q"), ("assistant", "a")]),
    ({"question": "q", "context": "c", "answer": "a"}, "pair", [("user", "c\n\nq"), ("assistant", "a")]),
    ({"问题": "q", "回答": "a"}, "pair", [("user", "q"), ("assistant", "a")]),
    ({"Q": "q", "A": "a"}, "pair", [("user", "q"), ("assistant", "a")]),
    ({"inputs": "q", "targets": "a"}, "pair", [("user", "q"), ("assistant", "a")]),
    (
        {"context": "c", "question": "q", "answers": {"text": ["a", "or b"], "answer_start": [0, 1]}},
        "pair",
        [("user", "c\n\nq"), ("assistant", "a")],
    ),
    (
        {"conversation": [{"human": "q", "assistant": "a"}, {"human": "q2", "assistant": "a2"}]},
        "chat",
        [("user", "q"), ("assistant", "a"), ("user", "q2"), ("assistant", "a2")],
    ),
    ({"data": ["问:q", "答:a"]}, "alternating", [("user", "q"), ("assistant", "a")]),
    ({"input": "q", "output": "a"}, "pair", [("user", "q"), ("assistant", "a")]),
    (
        {"question": "Q", "A": "x", "B": "y", "C": "", "answer": "B"},
        "choice",
        [("user", "Q\n\nA. x\nB. y"), ("assistant", "y")],
    ),
    (
        {"question": "Q", "opa": "x", "opb": "y", "opc": "z", "opd": "w", "cop": 4},
        "choice",
        [("user", "Q\n\nA. x\nB. y\nC. z\nD. w"), ("assistant", "w")],
    ),
    (
        {"question": "Q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"},
        "choice",
        [("user", "Q\n\nA. x\nB. y"), ("assistant", "y")],
    ),
]


@pytest.mark.parametrize(("row", "form", "turns"), FORMS)
def test_forms_are_detected_said_and_read(
    row: Row, form: str, turns: list[tuple[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_bytes(as_lines([row | {"note": "n"}] * 3))
    result = read(str(tmp_path / "rows.jsonl"))
    dialogues = [row for row in result if isinstance(row, Dialogue)]
    assert [(turn.role, turn.content) for turn in dialogues[0].turns] == turns
    assert len(dialogues) == 3
    assert Counter(row.text for row in result if isinstance(row, RowNote)) == {"column note not read": 3}
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("rows (medical) is read as") == 1 and f"read as {form}" in said and "not read: note" in said


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"text": "running text"}, "the rows hold running text"),
        ({"prompt": "q", "chosen": "good", "rejected": "bad"}, r"form: pair, .* answer: '\{chosen\}'"),
        ({"id": "1", "keywords": ["fever", "child"]}, "no form is recognised in the columns id, keywords"),
        ({"entry": "Q", "references": ["a book", "a paper"]}, "no form is recognised in the columns entry, references"),
        (
            {"a": "x", "b": "y"},
            r"no form is recognised in the columns a, b; .* form: pair, columns: \{question: '\{a\}'",
        ),
        ({"prompt": "p", "chosen": QA, "rejected": QA}, r"preferences .* columns: \{messages: chosen\}"),
        ({"first": QA, "second": QA}, "the columns first, second hold messages; name one"),
        ({"prompt": "q", "completion": "a", "label": False}, "the column label says that some answers are bad"),
        ({"messages": QA, "is_correct": False}, "the column is_correct says that some answers are bad"),
        ({"question": "q", "answer": "a", "accepted": False}, "the column accepted says that some answers are bad"),
    ],
)
def test_rows_of_no_known_form_say_what_to_write(row: Row, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(as_lines([row] * 2))
    with pytest.raises(MedctxError, match=sentence) as error:
        read(str(tmp_path / "rows.jsonl"))
    assert "\n" not in str(error.value)


def test_a_detected_form_can_be_set_otherwise(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(as_lines([{"question": "q", "title": "t", "answer": "a"}]))
    keys = {
        "path": str(tmp_path / "rows.jsonl"),
        "form": "pair",
        "columns": {"question": "{title}", "answer": "{answer}"},
    }
    assert contents(read(keys)) == [["t", "a"]]


CALL = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "dose", "arguments": {"kg": 70}}}]}


def test_tool_turns_are_refused_or_kept_as_text_and_counted(tmp_path: Path) -> None:
    row = {"messages": [QA[0], CALL, {"role": "tool", "content": "5 mg"}, {"role": "assistant", "content": "5 mg."}]}
    (tmp_path / "rows.jsonl").write_bytes(as_lines([row, {"messages": QA}]))
    refused, kept = read(str(tmp_path / "rows.jsonl"))
    assert isinstance(refused, SkippedRow) and "set the source's key tool_turns to keep" in refused.detail
    assert isinstance(kept, Dialogue)
    result = read({"path": str(tmp_path / "rows.jsonl"), "tool_turns": "keep"})
    assert contents(result)[0] == [
        "q",
        '<tool_call>\n{"name": "dose", "arguments": {"kg": 70}}\n</tool_call>',
        "<tool_response>\n5 mg\n</tool_response>",
        "5 mg.",
    ]
    assert [row.text for row in result if isinstance(row, RowNote)] == ["tool turns written as text"]


@pytest.mark.parametrize(
    ("path", "domain"),
    [
        ("medical.jsonl", "medical"),
        ("data/general/chat.csv", "general"),
        ("medical/alpaca/rows.jsonl", "medical"),
        ("medical/general-talk.jsonl", "general"),
        ("medical/*.jsonl", "medical"),
        ("biomedical.jsonl", None),
        ("data/rows.jsonl", None),
    ],
)
def test_the_domain_is_that_of_the_file_or_folder_or_asked_for(path: str, domain: str | None) -> None:
    config = SourceConfig.model_validate(path)
    if domain:
        assert domain_of(config) == domain
    else:
        with pytest.raises(MedctxError, match="needs the key domain: general or medical"):
            domain_of(config)
    assert domain_of(config.model_copy(update={"domain": "general"})) == "general"


@pytest.mark.parametrize(
    ("sources", "labels"),
    [
        (["a.jsonl", "b.csv.gz"], ["a", "b"]),
        (["x/data.jsonl", "y/data.jsonl"], ["x-data", "y-data"]),
        (["x/a.jsonl", "x/a.csv"], ["x-a", "x-a-2"]),
        (["alpaca", "d/alpaca.jsonl"], ["alpaca", "d-alpaca"]),
        (["med/*.jsonl", {"path": ["u.csv", "v.csv"]}, {"path": "w.csv", "name": "ward"}], ["med", "u", "ward"]),
        ([{"dataset": "owner/name"}], ["name"]),
    ],
)
def test_own_files_are_named_after_themselves(sources: list[object], labels: list[str]) -> None:
    assert [source.label for source in MixConfig.model_validate({"sources": sources}).sources] == labels


def test_a_folder_of_a_sources_name_says_how_to_mean_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wards").mkdir()
    with pytest.raises(MedctxError, match=r"to read it, write \./wards"):
        domain_of(SourceConfig.model_validate("wards"))


CARD = """---
configs:
- config_name: letters
  data_files:
  - {split: train, path: letters/train-*.parquet}
  - {split: test, path: letters/test-*.parquet}
- config_name: chats
  data_files: chats/*.jsonl
---
"""


def test_a_cloned_repository_is_read_by_its_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("letters/train-0", "letters/train-1", "letters/test-0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.parquet").write_bytes(as_parquet([{"question": name, "answer": "a"}]))
    (tmp_path / "chats").mkdir()
    (tmp_path / "chats" / "c.jsonl").write_bytes(as_lines([{"messages": QA}]))
    (tmp_path / "README.md").write_text(CARD)
    with pytest.raises(MedctxError, match=r"has several subsets \(letters, chats\); name one with the key subset"):
        read(str(tmp_path))
    result = read({"path": str(tmp_path), "subset": "letters"})
    assert contents(result) == [["letters/train-0", "a"], ["letters/train-1", "a"]]
    assert "not from c.jsonl, test-0.parquet, of other splits or subsets" in " ".join(capsys.readouterr().err.split())
    assert contents(read({"path": str(tmp_path), "subset": "letters", "split": "test"})) == [["letters/test-0", "a"]]
    assert len(contents(read({"path": str(tmp_path), "subset": "letters", "split": "all"}))) == 3
    assert contents(read({"path": str(tmp_path), "subset": "chats"})) == [["q", "a"]]


def test_a_repository_without_a_card_has_the_splits_of_its_names(tmp_path: Path) -> None:
    for name in ("data/train-0.jsonl", "data/validation-0.jsonl", "test/x.jsonl", ".git/y.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(as_lines([{"question": name, "answer": "a"}]))
    (tmp_path / "dataset_infos.json").write_text("{}")
    located = locate([tmp_path])
    assert [path.name for path in located.paths] == ["train-0.jsonl"]
    assert {path.name for path in located.left_out} == {"validation-0.jsonl", "x.jsonl"}
    assert [path.name for path in locate([tmp_path], "dev").paths] == ["validation-0.jsonl"]
    (tmp_path / "data" / "train-0.jsonl").unlink()
    with pytest.raises(MedctxError, match="holds no split 'train' but test, validation"):
        locate([tmp_path])


def test_a_file_that_git_did_not_fetch_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(MedctxError, match=r"is a Git LFS pointer.*git lfs pull"):
        list(file_rows(tmp_path / "a.parquet"))


def test_a_data_set_saved_to_disk_is_read_with_its_splits(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    train = datasets.Dataset.from_list(ROWS)
    train.save_to_disk(tmp_path / "one", num_shards=2)
    assert contents(read(str(tmp_path / "one"))) == [[row["question"], row["answer"]] for row in ROWS]
    both = datasets.DatasetDict({"train": train, "validation": train.select(range(2))})
    both.save_to_disk(tmp_path / "two")
    assert len(contents(read(str(tmp_path / "two")))) == len(ROWS)
    assert len(contents(read({"path": str(tmp_path / "two"), "split": "validation"}))) == 2


def test_lists_and_patterns_of_files_are_one_source(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_bytes(as_lines([{"question": name, "answer": "x"}]))
    assert [texts[0] for texts in contents(read(str(tmp_path / "[ab].jsonl")))] == ["a", "b"]
    paths = [str(tmp_path / "c.jsonl"), str(tmp_path / "a.jsonl")]
    assert [texts[0] for texts in contents(read({"path": paths}))] == ["c", "a"]
    with pytest.raises(MedctxError, match="matches no file"):
        read(str(tmp_path / "z*.jsonl"))


def test_digits_that_may_be_numbers_or_texts_are_refused() -> None:
    options = {"A": "1", "B": "2", "C": "x"}
    rows: list[Row] = [{"question": "q", "options": options, "answer": answer} for answer in ("2", "0")]
    layout = detect_layout(rows)
    assert layout is not None
    convention = convention_of((row["answer"], options_in(row, layout.options)) for row in rows)
    with pytest.raises(ValueError, match="a number and also the text of an option"):
        read_question(rows[0], layout, convention)


HALF = "\\ud83d"


@pytest.mark.parametrize("begin", ["", "x" * 2**20, "x" * (2**20 - 25), "é" * 2**19])
@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "ids.json", "one.json"])
def test_half_of_a_surrogate_pair_and_a_long_integer_are_the_same_in_every_json(
    name: str, begin: str, tmp_path: Path
) -> None:
    bad = f'{{"question": "{begin}{HALF} q", "answer": "a"}}'
    whole = f'{{"question": "{begin}\\ud83d\\ude00 \\\\ud83d", "answer": "a", "n": {2**70}, "x": 0.5}}'
    contents_by_name = {
        "t.jsonl": f"{bad}\n{whole}\n",
        "t.json": f"[{bad}, {whole}]",
        "ids.json": f'{{"1": {bad}, "2": {whole}}}',
        "one.json": f'{{"data": [{bad}, {whole}], "n": {2**70}}}',
    }
    (tmp_path / name).write_text(contents_by_name[name], encoding="utf-8")
    first, second = file_rows(tmp_path / name)
    assert first.problem == f"holds {HALF}, half of a surrogate pair and no character"
    assert second.problem == "" and second.columns["question"] == f"{begin}\U0001f600 {HALF}"
    assert (second.columns["n"], second.columns["x"]) == (2**70, 0.5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (f'[{{"question": "{HALF}"}}, {{"ques'.encode(), "is not a complete JSON array"),
        (f'{{"a": {{"question": "{HALF}"}}, "b": {{"ques'.encode(), "is not a complete JSON object"),
        (f'[{{"question": "{HALF} \u00e9"}}]'.encode("latin-1"), "is not"),
    ],
)
def test_a_damaged_file_with_a_half_is_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(MedctxError, match=rf"t\.json {sentence}"):
        list(file_rows(tmp_path / "t.json"))


@pytest.mark.parametrize(
    ("text", "seen"),
    [(HALF, True), (f"{HALF}\\ude00", False), ("\\ude00", True), ("1" * 19, True), ("1" * 18, False)],
)
def test_a_half_is_seen_wherever_a_file_is_cut_into_pieces(
    text: str, seen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "_PIECE", 2**10)
    path = tmp_path / "t.json"
    for shift in range(40):
        path.write_text(f'["{"x" * (json_rows._PIECE - shift)}{text}", "y"]')
        assert json_rows._needs_python(path) is seen, shift


def test_json_nested_too_deeply_is_one_sentence_or_its_rows_problem(tmp_path: Path) -> None:
    deep = '{"a": ' * 3_000 + "1" + "}" * 3_000
    for start in ("q", "x" * 70_000):
        (tmp_path / "t.json").write_text(f'{{"question": "{start}", "b": {deep}}}')
        assert [row.problem for row in file_rows(tmp_path / "t.json")] == ["is nested too deeply"]
        (tmp_path / "t.json").write_text(f'{{"question": ["{start}", "q"], "b": [[{deep}], 1]}}')
        with pytest.raises(MedctxError, match=r"t\.json is nested too deeply; give a list of rows"):
            list(file_rows(tmp_path / "t.json"))
    (tmp_path / "t.json").write_text(f'[{{"question": "{"x" * 70_000}"}},\n {{"b": {deep}}}]')
    assert [row.problem for row in file_rows(tmp_path / "t.json")] == ["", "is nested too deeply"]


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.csv.gz", "t.json.gz"])
def test_an_archive_damaged_in_the_middle_is_one_sentence(name: str, tmp_path: Path) -> None:
    rows: list[Row] = [{"question": random.Random(n).randbytes(40).hex(), "answer": f"a{n}"} for n in range(3_000)]
    plain = {"t.jsonl.gz": as_lines, "t.csv.gz": as_csv(","), "t.json.gz": FORMATS["b.json"]}[name](rows)
    content = bytearray(gzip.compress(plain))
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MedctxError, match=r"cannot be read .*fetch or pack it again|is not a complete JSON array"):
        list(file_rows(tmp_path / name))


def test_a_table_whose_lines_end_as_on_old_macintoshes_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"question;answer\rq1;a1\rq2;a2\r")
    assert [row.columns for row in file_rows(tmp_path / "t.csv")] == [
        {"question": f"q{n}", "answer": f"a{n}"} for n in (1, 2)
    ]


@pytest.mark.parametrize("pattern", ["**.jsonl", "/data/*.jsonl", "../*.jsonl"])
def test_a_pattern_of_a_readme_that_is_none_is_named(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(as_lines(ROWS))
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files: '{pattern}'\n---\n")
    with pytest.raises(MedctxError) as error:
        locate([tmp_path])
    assert f"README.md names its files by {pattern!r}, which is no pattern within the folder" in str(error.value)


def test_a_readme_may_map_splits_to_files(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_bytes(as_lines(ROWS))
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: {train: [a.jsonl, b.jsonl], test: c.jsonl}\n---\n"
    )
    located = locate([tmp_path])
    assert [path.name for path in located.paths] == ["a.jsonl", "b.jsonl"]
    assert [path.name for path in located.left_out] == ["c.jsonl"]
    assert [path.name for path in locate([tmp_path], "test").paths] == ["c.jsonl"]


def choice_rows(layout: str, base: int, rights: tuple[int, ...] = (3, 1, 2)) -> list[Row]:
    """Questions in a layout whose publisher counts the options from 0 (MMLU) or from 1 (CareQA)."""
    texts = ["rest", "insulin", "aspirin", "iodine"]
    columns: Row = {"choices": texts, "subject": "anatomy"} if layout == "MMLU" else {}
    columns |= {} if layout == "MMLU" else {f"op{place}": text for place, text in enumerate(texts, start=1)}
    answer = "answer" if layout == "MMLU" else "cop"
    return [{"question": f"q{n}?", **columns, answer: right + base} for n, right in enumerate(rights)]


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("layout", ["MMLU", "CareQA"])
def test_the_base_of_a_layout_yields_to_what_all_rows_show(layout: str, base: int, tmp_path: Path) -> None:
    rows = choice_rows(layout, base, (1, 3, 0))
    known = detect_layout(rows)
    assert known is not None and known.name == layout
    convention = layout_convention(rows, known)
    assert [read_question(row, known, convention).gold for row in rows] == [("B",), ("D",), ("A",)]
    (tmp_path / "t.jsonl").write_bytes(as_lines(rows))
    assert [texts[-1] for texts in contents(read(str(tmp_path / "t.jsonl")))] == ["insulin", "iodine", "rest"]


def test_the_base_of_a_layout_counts_where_rows_show_none_or_both() -> None:
    for base, layout in ((0, "MMLU"), (1, "CareQA")):
        for rights in ((1 - base, 2 - base), (0, 2, 4 - base, -base)):
            rows = choice_rows(layout, base, rights)
            known = detect_layout(rows)
            assert known is not None and layout_convention(rows, known).base == base


@pytest.mark.parametrize(("rights", "base"), [((3, 1), 1), ((1, 2), 1), ((2, 0), 0)])
def test_detect_prints_the_base_that_only_the_layout_states(rights: tuple[int, ...], base: int, tmp_path: Path) -> None:
    (tmp_path / "medical.jsonl").write_bytes(as_lines(choice_rows("CareQA", base, rights)))
    code, output, _ = detected(tmp_path / "medical.jsonl")
    assert code == 0 and f"answer_base: {base}" in output
    (tmp_path / "mix.yaml").write_text(output[output.index("sources:") :], encoding="utf-8")
    from medctx.config.loading import load

    (source,) = load(MixConfig, tmp_path / "mix.yaml").sources
    texts = ["rest", "insulin", "aspirin", "iodine"]
    assert [turns[-1] for turns in contents(read(source))] == [texts[right] for right in rights]


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("A. Give aspirin\nB. Start\nA statin\nC. Stop", ["Give aspirin", "Start A statin", "Stop"]),
        ("A. Test the\nB cells\nB. Stop", ["Test the B cells", "Stop"]),
        ("(A) one\n\n(B) two\n   lines\n(D) x\n(C) three", ["one", "two lines (D) x", "three"]),
        ("Choices:\nA) one\nB) two", ["one", "two"]),
        ("A.\none\nB.\ntwo", ["one", "two"]),
        ("B. one\nC. two", []),
    ],
)
def test_options_on_lines_may_be_wrapped(cell: str, texts: list[str]) -> None:
    assert list(labelled_options(cell).texts.values()) == texts


@pytest.mark.parametrize(
    "options",
    [
        ["a", "", "c"],
        ["a", None, "c"],
        {"A": "a", "B": None, "C": "c"},
        {"A": "a", "C": "c"},
        [{"key": "A", "value": "a"}, {"key": "B", "value": ""}, {"key": "C", "value": "c"}],
        "A. a\nB.\nC. c",
    ],
)
def test_an_option_without_a_text_is_left_out_only_at_the_end(options: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no text for the option B, which others follow"):
        labelled_options(options)
    whole: Row = {"question": "q?", "options": ["a", "b"], "answer": "A"}
    rows = [whole, {**whole, "options": options}, {**whole, "options": ["a", "b", ""], "answer": "b"}]
    (tmp_path / "t.jsonl").write_bytes(as_lines(rows))
    results = read(str(tmp_path / "t.jsonl"))
    assert [texts[-1] for texts in contents(results)] == ["a", "b"]
    (skipped,) = [row for row in results if isinstance(row, SkippedRow)]
    assert "no text for the option B" in skipped.detail


@pytest.mark.parametrize(
    ("options", "answer", "sentence"),
    [
        (["x", "x", "y"], "x", r"has the answer 'x', the text of several options \(A, B\)"),
        ({"A": "Rash", "B": "rash", "C": "y"}, "RASH", r"the text of several options \(A, B\)"),
        ([f"o{n}" for n in range(27)], 26, "has 27 options, where at most 12 are read"),
        ({chr(65 + n): f"o{n}" for n in range(26)}, "Z", "has 26 options, where at most 12 are read"),
    ],
)
def test_options_that_cannot_be_told_apart_or_lettered_are_refused(
    options: object, answer: object, sentence: str, tmp_path: Path
) -> None:
    """Neither is a list of many options taken for turns, nor one of two equal options for both."""
    (tmp_path / "rows.jsonl").write_bytes(as_lines([{"question": "Q", "options": options, "answer": answer}]))
    with pytest.raises(MedctxError, match=sentence):
        read(str(tmp_path / "rows.jsonl"))


def test_letters_that_a_table_of_objects_adds_are_no_options() -> None:
    options = {"A": "a", "B": "b", "C": None, "1": None}
    assert labelled_options(options).texts == {"A": "a", "B": "b"}
    assert labelled_options({"A": None, "1": "a", "2": "b"}).letters == {"1": "A", "2": "B"}


def test_a_note_names_the_column_that_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(as_lines([{"question": "q", "answer": "a", "column x": "b"}]))
    notes = [row for row in read(str(tmp_path / "t.jsonl")) if isinstance(row, RowNote)]
    assert notes == [RowNote("column column x not read", "column x")]


def test_two_paths_are_a_whole_mix(tokenizer_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "talk.jsonl").write_bytes(
        as_lines([{"messages": [{"role": "user", "content": f"q{n}"}, QA[1]]} for n in range(30)])
    )
    (tmp_path / "medical.csv").write_bytes(
        as_csv(";")([{"question": f"m{n}", "answer": "a", "page": n} for n in range(30)])
    )
    sources = f"[{tmp_path / 'general' / 'talk.jsonl'}, {tmp_path / 'medical.csv'}]"
    keys = [f"tokenizer={tokenizer_folder}", "by=examples", "examples=20", f"sources={sources}"]
    words = [word for key in keys for word in ("--set", key)]
    result = CliRunner().invoke(main, ["mix", *words, "--out", str(tmp_path / "mix")])
    assert result.exit_code == 0, result.output
    manifest = read_record(tmp_path / "mix" / MIX_FILE, MixManifest)
    assert {source.label: source.dialogues for source in manifest.sources} == {"talk": 10, "medical": 10}
    assert {source.label: source.notes for source in manifest.sources} == {
        "talk": {},
        "medical": {"column page not read": 30},
    }
    # What a pattern matches belongs to the request: a new file is another mix, not this one again.
    again = CliRunner().invoke(main, ["mix", *words, "--out", str(tmp_path / "mix")])
    assert "already holds this mix" in again.output


def test_detection_looks_at_every_column_of_the_head() -> None:
    rows: list[Row] = [{"question": "q", "answer": None, "response": "r"}, {"question": "q", "response": "r"}]
    assert detect_form(rows).columns == {"question": "{question}", "answer": "{response}"}


def detected(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["detect", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_detect_shows_what_would_be_read_and_the_config_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "medical"
    folder.mkdir()
    (folder / "t.csv").write_bytes(as_csv(";")([{"question": f"q{n}", "answer": "a", "page": n} for n in range(5)]))
    code, output, _ = detected(folder / "t.csv")
    assert code == 0, output
    lines = {line[:16].strip(): line[16:] for line in output.splitlines()}
    assert (lines["format"], lines["columns used"], lines["columns unused"]) == ("CSV", "question, answer", "page")
    assert lines["form"].startswith("pair: ") and lines["domain"].startswith("medical (from the name")
    assert lines["rows looked at"] == "5, 5 readable"
    assert output.count("user: q") == 3
    snippet = output[output.index("sources:") :]
    config = tmp_path / "mix.yaml"
    config.write_text(snippet, encoding="utf-8")
    from medctx.config.loading import load

    (source,) = load(MixConfig, config).sources
    assert (source.form, source.domain, source.columns["question"]) == ("pair", "medical", "{question}")
    assert contents(read(source)) == [[f"q{n}", "a"] for n in range(5)]


def test_detect_reports_as_json_and_takes_keys(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(as_lines([{"messages": [QA[0], CALL, QA[0], QA[1]]}, {"messages": QA}]))
    code, output, _ = detected(tmp_path / "t.jsonl", "--set", "domain=general", "--json")
    result = json.loads(output)
    assert code == 0 and result["numbers"] == {"rows": 2, "readable": 1, "files": 1}
    assert (result["labels"]["form"], result["labels"]["domain"]) == ("chat", "general")
    assert "refused         1 has a turn that calls a tool" in result["text"]
    code, output, _ = detected(tmp_path / "t.jsonl", "--set", "tool_turns=keep")
    assert "2 readable" in output and "tool turns written as text (1 rows)" in output and "tool_turns: keep" in output
    assert "domain: medical  # or general" in output


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", "a,b\nx,y\n", "no form is recognised in the columns a, b"),
        ("t.txt", "x", "unknown format"),
        ("t.jsonl", "{}\n", "no form is recognised in the columns (none)"),
        ("t.jsonl", "x\n", "None of the first 1 rows can be read: is not JSON"),
    ],
)
def test_detect_of_what_cannot_be_read_is_one_sentence(name: str, content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    code, _, error = detected(tmp_path / name)
    assert code == 2 and sentence in error and "Traceback" not in error


BILE: Row = {"question": "What makes bile?", "options": {"A": "spleen", "B": "liver"}, "answer_idx": "B"}


@pytest.mark.parametrize(
    ("further", "named"),
    [
        ({"answer": "spleen"}, "A"),
        ({"answer": " spleen "}, "A"),
        ({"correct_answer": "A"}, "A"),
        ({"Correct Answer": "spleen"}, "A"),
        ({"answer": "liver"}, None),
        ({"answer": "the liver"}, None),
        ({"label": "0"}, None),
    ],
)
def test_columns_of_answers_that_contradict_each_other_are_refused(further: Row, named: str | None) -> None:
    row = BILE | further
    layout = detect_layout([row])
    assert layout is not None
    assert layout.answer == "answer_idx"
    if named is None:
        assert read_question(row, layout, layout_convention([row], layout)).gold == ("B",)
        return
    with pytest.raises(AnswerError, match=f"has the answer B in the column answer_idx but {named} in the column"):
        read_question(row, layout, layout_convention([row], layout))
