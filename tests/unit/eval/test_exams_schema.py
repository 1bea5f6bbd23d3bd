"""Rows of questions: what is read, what is refused, and in which words."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.readers import own as files
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.entries import EntryReader, ExamEntry, without_repeats
from medctx_eval.exams.schema import LETTERS, ExamRow, letters_of, problems_of, text_as_seen

OPTIONS = {"A": "red", "B": "blue", "C": "green"}
GOOD: ExamRow = {"id": "q1", "question": "Which colour?", "options": OPTIONS, "answer": "B"}


def written(folder: Path, rows: list[ExamRow], name: str = "items.jsonl") -> Path:
    path = folder / name
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def built(path: Path, passages: Path | None = None, conditions: tuple[str, ...] = ("closed",)) -> Exam:
    return registry.build_exam(
        ExamConfig(exam="file", path=path, passages=passages, conditions=conditions), CurriculumConfig(), 0
    )


@pytest.mark.parametrize(
    ("answer", "letters"),
    [
        ("B", ("B",)),
        (" b ", ("B",)),
        ("BD", ("B", "D")),
        ("D,B", ("B", "D")),
        (["D", "B", "B"], ("B", "D")),
        ("\uff22\u3001\uff24", ("B", "D")),
        ("", ()),
        (None, ()),
        ([], ()),
        ("yes", None),
        (1, None),
        (True, None),
        ("K", None),
        ({"A": 1}, None),
    ],
)
def test_letters_of_an_answer(answer: object, letters: tuple[str, ...] | None) -> None:
    assert letters_of(answer) == letters


@given(
    st.sets(st.sampled_from(LETTERS), min_size=1), st.sampled_from(["", ",", " ", ", ", "\u3001", ";"]), st.randoms()
)
def test_letters_are_the_same_in_any_order_and_form(letters: set[str], between: str, rng: object) -> None:
    order = list(letters)
    rng.shuffle(order)  # type: ignore[attr-defined]
    assert letters_of(between.join(order)) == letters_of(order) == tuple(sorted(letters))


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"id": 7}, []),
        ({"options": ["red", "blue", "green"]}, []),
        ({"options": {**OPTIONS, "D": None}}, []),
        ({"answer": ["A", "B"]}, []),
        ({"answer": "A", "multiple": True}, []),
        ({"context": "The chair is blue."}, []),
        ({"cannot": "C"}, []),
        ({"context": "x", "counterfactual": {"context": "The chair is red.", "answer": "A"}}, []),
        ({"explanation": "because"}, []),
        ({"id": ""}, ["no id"]),
        ({"id": None}, ["no id"]),
        ({"question": "  "}, ["no question"]),
        ({"options": "red or blue"}, ["no options by letter"]),
        ({"options": {"1": "red", "2": "blue"}}, ["no options by letter"]),
        ({"options": {"A": "red", "B": 3}}, ["no options by letter"]),
        ({"options": [str(n) for n in range(11)]}, ["no options by letter"]),
        ({"options": {"B": "blue"}}, ["fewer than two options"]),
        ({"options": {**OPTIONS, "C": " "}}, ["empty option"]),
        ({"answer": ""}, ["no gold"]),
        ({"answer": None}, ["no gold"]),
        ({"answer": "E"}, ["gold not among the options"]),
        ({"answer": "blue"}, ["gold not among the options"]),
        ({"answer": 1}, ["gold not among the options"]),
        ({"answer": "AB", "multiple": False}, ["several golds in a single choice"]),
        ({"multiple": "yes"}, ["unclear multiple"]),
        ({"multiple": 0}, ["unclear multiple"]),
        ({"multiple": 1, "answer": "AB"}, ["unclear multiple"]),
        ({"multiple": 0, "answer": "AB"}, ["unclear multiple"]),
        ({"tags": {"ward": 3, "shift": None}}, []),
        ({"tags": ["surgery"]}, ["unclear groups"]),
        ({"tags": "surgery"}, ["unclear groups"]),
        ({"tags": {"ward": {"floor": 1}}}, ["unclear groups"]),
        ({"subject": ["surgery"]}, ["unclear groups"]),
        ({"options": {**OPTIONS, "C": "blue"}}, ["right option offered twice"]),
        ({"options": {**OPTIONS, "C": "blue\u200b"}}, ["right option offered twice"]),
        ({"options": {**OPTIONS, "C": "bl\u00adue"}}, ["right option offered twice"]),
        ({"options": {"A": "caf\u00e9", "B": "cafe\u0301"}, "answer": "A"}, ["right option offered twice"]),
        ({"options": {**OPTIONS, "C": "Blue"}}, []),
        ({"options": {**OPTIONS, "C": "red"}}, []),
        ({"cannot": "E"}, ["cannot not among the options"]),
        ({"context": "x", "book_id": "y"}, ["two evidences"]),
        ({"context": "x", "counterfactual": {"context": "y"}}, ["unusable counterfactual"]),
        ({"context": "x", "counterfactual": {"context": "y", "answer": "E"}}, ["unusable counterfactual"]),
        ({"context": "x", "counterfactual": {"context": "y", "answer": "B"}}, ["unusable counterfactual"]),
        ({"context": "x", "counterfactual": {"context": "y", "answer": "AC"}}, ["unusable counterfactual"]),
        ({"context": " x", "counterfactual": {"context": "x ", "answer": "A"}}, ["unusable counterfactual"]),
        ({"counterfactual": {"context": "y", "answer": "A"}}, ["unusable counterfactual"]),
        ({"context": "x", "counterfactual": "y"}, ["unusable counterfactual"]),
        ({"id": "", "question": "", "answer": ""}, ["no id", "no question", "no gold"]),
    ],
)
def test_what_is_wrong_with_a_row(changes: ExamRow, kinds: list[str]) -> None:
    assert [problem.kind for problem in problems_of({**GOOD, **changes})] == kinds


def test_an_answer_in_words_is_told_its_letter() -> None:
    (problem,) = problems_of({**GOOD, "answer": "blue"})
    assert problem.message == "has the answer 'blue', which is not a letter; give its letter B"


def test_everything_a_row_says_is_kept() -> None:
    row = {
        **GOOD,
        "context": "The chair is blue.",
        "multiple": True,
        "cannot": "C",
        "lang": "zh",
        "subject": "chairs",
        "tags": {"room": 3},
        "source": "made",
        "licence": "CC0",
        "counterfactual": {"context": "The chair is red.", "answer": "A"},
    }
    entry = EntryReader("file", files.CARDS["file"]).read(row)
    assert isinstance(entry, ExamEntry) and entry.passage and entry.alteration
    item = entry.item
    assert (item.id, item.gold, item.multiple, item.cannot, item.language) == ("q1", ("B",), True, "C", "zh")
    assert (item.source, item.licence, item.tags) == ("made", "CC0", {"room": "3", "subject": "chairs"})
    assert item.evidence == (item.cluster,) == (entry.passage.id,)
    assert entry.alteration.passages[0].id == entry.passage.id
    assert entry.alteration.gold == ("A",)


@given(
    st.dictionaries(st.sampled_from(LETTERS), st.text(min_size=1).filter(str.strip), min_size=2, max_size=10),
    st.text(min_size=1).filter(str.strip),
    st.data(),
)
def test_a_row_of_letters_and_texts_becomes_its_item(
    options: dict[str, str], question: str, data: st.DataObject
) -> None:
    gold = data.draw(st.sets(st.sampled_from(sorted(options)), min_size=1))
    row: ExamRow = {"id": "x", "question": question, "options": options, "answer": sorted(gold)}
    entry = EntryReader("file", files.CARDS["file"]).read(row)
    if isinstance(entry, list):
        texts = [text_as_seen(text) for text in options.values()]
        assert {problem.kind for problem in entry} == {"right option offered twice"} and len(set(texts)) < len(texts)
        return
    assert set(entry.item.gold) == gold
    assert entry.item.options == {letter: text.strip() for letter, text in options.items()}
    assert entry.item.multiple == (len(gold) > 1)


def test_the_same_context_is_one_passage_and_one_cluster(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": f"q{n}", "question": f"{n}?", "context": f"Page {n // 2}."} for n in range(6)]
    exam = built(written(tmp_path, rows), conditions=("gold",))
    assert len(exam.passages) == 3
    assert len({item.cluster for item in exam.items}) == 3
    assert all(exam.by_id[item.evidence[0]].text for item in exam.items)


def test_documents_come_in_a_fixed_shuffled_order(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": f"q{n:03}", "question": f"{n}?", "book_id": f"b{n // 2:03}"} for n in range(60)]
    passages = written(tmp_path, [{"book_id": f"b{n:03}", "text": "x"} for n in range(30)], "books.jsonl")
    orders = [
        [item.id for item in built(written(tmp_path, ordered), passages, ("gold",)).items]
        for ordered in (rows, list(reversed(rows)))
    ]
    assert [name for name in orders[0] if name < "q030"] != sorted(name for name in orders[0] if name < "q030")
    clusters = [int(name[1:]) // 2 for name in orders[0]]
    assert clusters[::2] == clusters[1::2] == [int(name[1:]) // 2 for name in orders[1]][::2]


def test_repeated_questions_are_counted() -> None:
    reader = EntryReader("file", files.CARDS["file"])
    rows = [GOOD, {**GOOD, "id": "q2"}, {**GOOD, "id": "q3", "answer": "A"}, {**GOOD, "id": "q4", "context": "x"}]
    entries = [entry for row in rows if isinstance(entry := reader.read(row), ExamEntry)]
    kept, repeats = without_repeats(entries)
    assert ([entry.item.id for entry in kept], repeats) == (["q1", "q3", "q4"], 1)


@pytest.mark.parametrize("name", ["items.jsonl", "items.jsonl.gz", "items.json"])
def test_json_lines_are_read_plain_and_gzipped(name: str, tmp_path: Path) -> None:
    exam = built(written(tmp_path, [GOOD, {**GOOD, "id": "q2", "answer": ["A", "C"]}], name))
    assert {item.id: item.gold for item in exam.items} == {"q1": ("B",), "q2": ("A", "C")}
    assert exam.card.items == 2


def test_parquet_holds_the_same_exam_as_json_lines(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    altered = {"context": "It is red.", "answer": "A"}
    rows = [
        {**GOOD, "multiple": True, "context": "It is blue.", "counterfactual": altered},
        {**GOOD, "id": "q2", "options": {"A": "x", "B": "y", "E": "z"}},
    ]
    path = tmp_path / "items.parquet"
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    assert built(path) == built(written(tmp_path, rows))


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "items.parquet"
    parquet.write_table(arrow.Table.from_arrays([arrow.array(["1"])] * 2, names=["id", "id"]), path)
    with pytest.raises(MedctxError, match=r"items\.parquet names the column 'id' twice"):
        built(path)


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    path = written(tmp_path, [GOOD])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [item.id for item in built(path).items] == ["q1"]


def test_a_counterfactual_that_alters_nothing_is_refused_also_where_the_passage_is_named(tmp_path: Path) -> None:
    row = {**GOOD, "book_id": "b", "counterfactual": {"context": "It is blue.", "answer": "A"}}
    passages = written(tmp_path, [{"book_id": "b", "text": "It is blue. "}], "books.jsonl")
    with pytest.raises(MedctxError, match=r"counterfactual of item 'q1' .* is the passage it should alter"):
        built(written(tmp_path, [row]), passages, ("gold",))


def test_parquet_without_its_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "items.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MedctxError, match=r"needs the package pyarrow.*pip install pyarrow"):
        built(tmp_path / "items.parquet")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", b'{"id": }\n', r"a\.jsonl:1 is not JSON"),
        ("a.jsonl", b'\n["x"]\n', r"a\.jsonl:2 holds a list, not an object"),
        ("a.jsonl", b'{"id": "\xff"}\n', r"a\.jsonl:1 is not UTF-8"),
        ("a.jsonl", b'{"id": 1, "id": 2}\n', r"a\.jsonl:1 has the key 'id' twice"),
        ("a.jsonl", b'{"id": 1, "options": {"A": "x", "A": "y"}}\n', r"a\.jsonl:1 has the key 'A' twice"),
        ("a.jsonl", b'{"id": "\\ud835"}\n', r"a\.jsonl:1 holds \\ud835, half of a surrogate pair"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl:1 is nested too deeply"),
        ("a.jsonl", b'{"id": 1' + b"0" * 5000 + b"}\n", r"a\.jsonl:1 holds a number of thousands of digits"),
        ("a.csv", b"id,answer,id\n1,A,2\n", r"a\.csv names the column 'id' twice"),
        ("a.jsonl", b"", "holds no items"),
        ("a.jsonl.gz", b"plain", r"a\.jsonl\.gz cannot be read \("),
        ("a.jsonl.gz", gzip.compress(b"\n" * 9999, mtime=0)[:20], r"a\.jsonl\.gz cannot be read \("),
        ("a.parquet", b"plain", "is not a complete Parquet file"),
        ("a.xlsx", b"", "has an unknown format"),
        ("a.csv.gz", b"", "holds no items"),
        ("a.csv", b"", "holds no items"),
        (
            "a.csv",
            b"id,question\nq1,\n",
            "has the columns id, question, in which no question with options and an answer",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(name: str, content: bytes, sentence: str, tmp_path: Path) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MedctxError, match=sentence) as caught:
        built(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_spreadsheets_mark_is_no_part_of_a_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,question\nq1,"two\nlines"\nq2,x\n', encoding="utf-8-sig")
    assert list(tables.read_table(path)) == [
        (2, {"id": "q1", "question": "two\nlines"}),
        (4, {"id": "q2", "question": "x"}),
    ]


def test_evidence_in_a_file_that_is_not_given_can_be_asked_closed_only(tmp_path: Path) -> None:
    path = written(tmp_path, [{**GOOD, "book_id": "b1"}])
    (item,) = built(path).items
    assert (item.evidence, item.cluster) == ((), "b1")
    with pytest.raises(MedctxError, match="there is no passages file"):
        built(path, conditions=("closed", "gold"))


def test_evidence_that_the_passages_lack_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, [{**GOOD, "book_id": "b1"}])
    passages = written(tmp_path, [{"book_id": "b2", "text": "x"}], "books.jsonl")
    with pytest.raises(MedctxError, match=r"'q1' of .* names the book_id 'b1', which .* does not contain"):
        built(path, passages)
    twice = written(tmp_path, [{"book_id": "b1", "text": "x"}] * 2, "twice.jsonl")
    with pytest.raises(MedctxError, match=r"twice\.jsonl:2 repeats the book_id 'b1'"):
        built(path, twice)


def test_the_first_row_that_is_no_question_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, [GOOD, {**GOOD, "answer": "E"}])
    with pytest.raises(
        MedctxError, match=r"items\.jsonl:2 \(item 'q1'\) has the answer E, but its options are A, B, C"
    ):
        built(path)
    path = written(tmp_path, [GOOD, GOOD])
    with pytest.raises(MedctxError, match=r"items\.jsonl:2 \(item 'q1'\) has the id of an earlier row"):
        built(path)
