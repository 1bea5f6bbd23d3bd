"""Own exams in the layouts that people have: recognised, confirmed by ``exams check``, asked by their own names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx_eval.cli.main import main
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.run.config import RunConfig

Row = dict[str, object]
TEXTS = ["rest", "insulin", "aspirin", "iodine"]
NUMBER = 6
"""Questions of a made file; question n has the right option n modulo 4."""


def layouts(number: int) -> dict[str, Row]:
    """Question ``number`` in the published form of each data set."""
    right, text = number % 4, f"Which remedy has case {number}?"
    letter, by_letter = "ABCD"[right], dict(zip("ABCD", TEXTS, strict=True))
    return {
        "MMLU": {"question": text, "subject": "anatomy", "choices": TEXTS, "answer": right},
        "MMLU-Pro": {
            "question_id": number,
            "question": text,
            "options": TEXTS,
            "answer": letter,
            "answer_index": right,
            "cot_content": "",
            "category": "health",
            "src": "made",
        },
        "MedMCQA": {
            "id": f"m{number}",
            "question": text,
            **{f"op{mark}": option for mark, option in zip("abcd", TEXTS, strict=True)},
            "cop": right,
            "choice_type": "single",
            "exp": "because",
            "subject_name": "Medicine",
            "topic_name": "",
        },
        "MedQA": {
            "question": text,
            "answer": TEXTS[right],
            "options": by_letter,
            "meta_info": "step1",
            "answer_idx": letter,
            "metamap_phrases": ["case"],
        },
        "MedQA (hf)": {
            "id": f"m{number}",
            "sent1": text,
            "sent2": "",
            **{f"ending{place}": option for place, option in enumerate(TEXTS)},
            "label": right,
        },
        "MedQA (list)": {
            "meta_info": "step1",
            "question": text,
            "answer_idx": letter,
            "answer": TEXTS[right],
            "options": [{"key": key, "value": value} for key, value in by_letter.items()],
        },
        "ARC": {
            "id": f"arc{number}",
            "question": text,
            "choices": {"text": TEXTS, "label": list("1234" if number % 2 else "ABCD")},
            "answerKey": "1234"[right] if number % 2 else letter,
        },
        "HeadQA": {
            "name": "exam",
            "year": "2016",
            "category": "nursery",
            "qid": number,
            "qtext": text,
            "ra": right + 1,
            "image": None,
            "answers": [{"aid": place + 1, "atext": option} for place, option in enumerate(TEXTS)],
        },
        "HeadQA (lists)": {
            "qid": number,
            "qtext": text,
            "ra": right + 1,
            "answers": {"aid": [1, 2, 3, 4], "atext": TEXTS},
        },
        "CareQA": {
            "exam_id": number,
            "question": text,
            **{f"op{place + 1}": option for place, option in enumerate(TEXTS)},
            "cop": right + 1,
            "year": 2024,
            "category": "Medicine",
            "unique_id": f"u{number}",
        },
        "MedXpertQA": {
            "id": f"Text-{number}",
            "question": f"{text}\nAnswer Choices: (A) rest (B) insulin (C) aspirin (D) iodine",
            "options": by_letter,
            "label": letter,
            "medical_task": "Treatment",
            "body_system": "Nervous",
            "question_type": "Reasoning",
        },
        "FrenchMedMCQA": {
            "id": f"f{number}",
            "question": text,
            **{f"answer_{mark}": option for mark, option in zip("abcde", [*TEXTS, "repos"], strict=True)},
            "correct_answers": [right],
            "subject_name": "pharmacie",
            "type": 1,
            "nbr_correct_answers": 1,
        },
        "IgakuQA": {
            "problem_id": f"116A{number}",
            "points": "1",
            "problem_text": text,
            "choices": TEXTS,
            "text_only": True,
            "answer": ["abcd"[right]],
        },
        "": {
            "Question": text,
            **{f"Option {mark}": option for mark, option in by_letter.items()},
            "Correct Answer": letter,
        },
        " (text)": {"question": text, "options": TEXTS, "answer": TEXTS[right]},
        " (data)": {"data": {"Question": text, "Options": by_letter, "Correct Option": letter}},
    }


NAMES = list(layouts(0))


def as_csv(mark: str) -> Callable[[list[Row]], bytes]:
    def written(rows: list[Row]) -> bytes:
        stream = io.StringIO()
        table = csv.DictWriter(stream, list(rows[0]), delimiter=mark)
        table.writeheader()
        for row in rows:
            table.writerow(
                {key: json.dumps(value) if isinstance(value, list | dict) else value for key, value in row.items()}
            )
        return stream.getvalue().encode()

    return written


def as_parquet(rows: list[Row]) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    stream = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_pylist(rows), stream)
    return bytes(stream.getvalue())


FORMATS: dict[str, Callable[[list[Row]], bytes]] = {
    "own.jsonl": lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode(),
    "own.json": lambda rows: json.dumps(rows).encode(),
    "own.csv": as_csv(","),
    "own.tsv": as_csv("\t"),
    "own-2.csv": as_csv(";"),
    "own.parquet": as_parquet,
}


def written(folder: Path, layout: str, name: str = "own.jsonl") -> Path:
    path = folder / name
    path.write_bytes(FORMATS[name]([layouts(number)[layout] for number in range(NUMBER)]))
    return path


def build(config: object) -> Exam:
    return registry.build_exam(ExamConfig.model_validate(config), CurriculumConfig.model_validate({}), 0)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("layout", NAMES)
def test_every_layout_is_read_in_every_format(layout: str, name: str, tmp_path: Path) -> None:
    exam = build(str(written(tmp_path, layout, name)))
    questions = {item.question: (item.options, item.gold) for item in exam.items}
    assert len(questions) == NUMBER == exam.card.items
    for number in range(NUMBER):
        options, gold = questions[f"Which remedy has case {number}?"]
        assert list(options.values())[:4] == TEXTS
        assert gold == ("ABCD"[number % 4],)


@pytest.mark.parametrize("layout", [name for name in NAMES if name.strip() and name[0] != " "])
def test_a_known_layout_is_named_in_one_sentence(layout: str, tmp_path: Path) -> None:
    result = run("exams", "check", written(tmp_path, layout))
    assert result.exit_code == 0, result.output
    assert f"This looks like {layout.partition(' ')[0]}: question from " in result.output
    assert "No problems." in result.output and result.output.count("Answer with the letter") == 3


def test_check_shows_three_items_as_they_will_be_asked(tmp_path: Path) -> None:
    rows = [
        {"Question": f"Case {n}?", "A": "rest", "B": "iodine", "Answer": "B", "Context": f"Page {n}.", "Page": n}
        for n in range(5)
    ]
    (tmp_path / "x.csv").write_bytes(as_csv(";")(rows))  # type: ignore[arg-type]
    result = run("exams", "check", tmp_path / "x.csv")
    assert result.exit_code == 0, result.output
    assert "This is a table of questions: question from Question, options from A,B, answer from Answer" in result.output
    assert "--- 2, gold B\nPage 0.\n\nCase 0?\nA. rest\nB. iodine\nAnswer with the letter" in result.output
    assert result.output.count("--- ") == 3 and "ignored       columns Page" in result.output
    report = json.loads(run("exams", "check", tmp_path / "x.csv", "--json").stdout)
    assert report["numbers"]["items"] == 5 and report["labels"]["ignored"] == "Page"


def test_check_and_dry_run_show_questions_in_the_chat_template(tmp_path: Path, alphabet: Path) -> None:
    (tmp_path / "x.csv").write_bytes(as_csv(",")([{"Question": "Case?", "A": "rest", "B": "iodine", "Answer": "B"}]))
    (tmp_path / "t.jinja").write_text("{% for m in messages %}<<{{ m.content }}>>{% endfor %}")
    check, model = ("exams", "check", tmp_path / "x.csv"), ("--tokenizer", alphabet)
    listed = "Case?\nA. rest\nB. iodine\nAnswer with the letter of the right option."
    words = ("run", "--model", "m", "--endpoint", "http://localhost:1", "--exam", tmp_path / "x.csv", "--dry-run")
    words = (*words, "--set", "mode=generate", "--set", "answer_tokens=9", "--set", f"tokenizer={alphabet}")
    for template, begin, end in (
        ("", "user: ", "\nA: "),
        ("chatml", "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
        (tmp_path / "t.jinja", "<<", ">>"),
    ):
        option, key = (("--chat-template", template), ("--set", f"chat_template={template}")) if template else ((), ())
        assert f"--- 2, gold B\n{begin}{listed}{end}\n" in run(*check, *model, *option).output
        result = run(*words, *key)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["examples"] == {"closed, generate": f"{begin}{listed}{end}"}
    result = run(*check, "--chat-template", "chatml")
    assert result.exit_code == 2 and "give its folder as --tokenizer" in result.output
    result = run(*check, *model, "--chat-template", "mistyped")
    assert result.exit_code == 2 and "neither a text file nor one of chatml, plain" in result.output


def test_columns_without_a_question_are_one_sentence_and_not_one_for_each_row(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(FORMATS["own.jsonl"]([{"a": 1, "b": 2}] * 90))
    result = run("exams", "check", tmp_path / "x.jsonl")
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1 and "has the columns a, b, in which no question" in result.output


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        (["Which gland?", "liver", "spleen", "thyroid", "lung", "C"], "add the first line question,A,B,C,D,answer"),
        (
            ["How many?", "2", "2", "3", "4", "A"],
            "names the column '2' twice; rename or remove one, or add a first line",
        ),
    ],
)
def test_a_table_without_names_of_columns_is_one_sentence(first: list[str], sentence: str, tmp_path: Path) -> None:
    lines = [first, *(["Which remedy?", *TEXTS, "B"] for _ in range(3))]
    (tmp_path / "anatomy_test.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    result = run("exams", "check", tmp_path / "anatomy_test.csv")
    assert result.exit_code == 2 and len(result.output.splitlines()) == 1
    assert sentence in result.output


PUBMEDQA: dict[str, Row] = {
    "the library's columns": {
        "pubid": 7,
        "question": "Does it help?",
        "context": {"contexts": ["Page one.", "Page two."], "labels": ["AIM", "RESULTS"], "meshes": ["Humans"]},
        "long_answer": "It seems so.",
        "final_decision": "maybe",
    },
    "the published file": {
        "QUESTION": "Does it help?",
        "CONTEXTS": ["Page one.", "Page two."],
        "LABELS": ["AIM", "RESULTS"],
        "YEAR": "2015",
        "LONG_ANSWER": "It seems so.",
        "final_decision": "maybe",
    },
}


@pytest.mark.parametrize("layout", PUBMEDQA)
def test_pubmedqa_has_its_abstract_as_evidence(layout: str, tmp_path: Path) -> None:
    row = PUBMEDQA[layout]
    question = "QUESTION" if "QUESTION" in row else "question"
    other = {**row, question: "Does it harm?", "final_decision": "no"}
    rows = {"7": row, "8": other} if layout == "the published file" else [row, {**other, "pubid": 8}]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    result = run("exams", "check", tmp_path / "x.json")
    assert result.exit_code == 0 and "This looks like PubMedQA: question from" in result.output, result.output
    exam = build({"exam": str(tmp_path / "x.json"), "conditions": ["gold"]})
    assert [(item.id, item.gold) for item in exam.items] == [("7", ("C",)), ("8", ("B",))]
    assert exam.items[0].options == {"A": "yes", "B": "no", "C": "maybe"}
    assert {passage.text for passage in exam.passages} == {"Page one.\nPage two."}


def test_an_answer_that_is_not_offered_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "MMLU")
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**layouts(0)["MMLU"], "question": "Last?", "answer": 7}) + "\n")
    result = run("exams", "check", path)
    assert result.exit_code == 2 and f"{path}:{NUMBER + 1} has the gold 7" in result.output
    with pytest.raises(MedctxError, match=rf"own\.jsonl:{NUMBER + 1} has the gold 7, which is none of its options"):
        build(str(path))


def test_numbers_that_show_no_base_ask_for_letters(tmp_path: Path) -> None:
    rows: list[Row] = [{"question": f"{n}?", "options": TEXTS, "answer": 1 + n % 2} for n in range(4)]
    (tmp_path / "x.json").write_bytes(FORMATS["own.json"](rows))
    with pytest.raises(MedctxError, match="whether its answers count from 0 or from 1; write letters"):
        build(str(tmp_path / "x.json"))


@pytest.mark.parametrize(
    ("exams", "names"),
    [
        (["a/x.csv", "b/y.csv"], ["x", "y"]),
        (["a/x.csv", "b/x.csv"], ["a-x", "b-x"]),
        ([{"exam": "file", "path": "a/x.csv"}, {"exam": "a/x.csv", "name": "ward"}], ["x", "ward"]),
        ([{"path": "x.csv", "conditions": ["closed"]}, {"path": "x.csv", "conditions": ["gold"]}], ["x", "x"]),
        (["needle", {"exam": "medqa", "path": "x.jsonl"}], ["", ""]),
        (["medqa", "./medqa.jsonl"], ["", "medqa-2"]),
        (["file.csv"], ["file"]),
    ],
)
def test_own_exams_have_names_of_their_own(exams: list[object], names: list[str]) -> None:
    assert [exam.name for exam in RunConfig.model_validate({"exams": exams}).exams] == names


@pytest.mark.parametrize(
    "exams",
    [
        ["medqa", {"path": "x.jsonl", "name": "medqa"}],
        [{"path": "x.jsonl", "name": "ward"}, {"path": "y.jsonl", "name": "ward"}],
    ],
)
def test_a_name_that_is_another_exams_is_refused(exams: list[object]) -> None:
    with pytest.raises(ValueError, match="is that of another exam; give another name"):
        RunConfig.model_validate({"exams": exams})


def test_an_own_copy_of_mmlu_that_counts_from_1_is_read_from_1(tmp_path: Path) -> None:
    rows = [{**row, "answer": n % 4 + 1} for n in range(NUMBER) for row in [layouts(n)["MMLU"]]]
    (tmp_path / "x.jsonl").write_bytes(FORMATS["own.jsonl"](rows))
    gold = {item.question: item.gold for item in build(str(tmp_path / "x.jsonl")).items}
    assert gold == {f"Which remedy has case {n}?": ("ABCD"[n % 4],) for n in range(NUMBER)}


def test_two_own_exams_are_two_exams_of_one_run(tmp_path: Path) -> None:
    files = [written(tmp_path, "MMLU", "own.csv"), written(tmp_path, "ARC", "own-2.csv")]
    config = RunConfig.model_validate({"exams": [str(file) for file in files]})
    exams = registry.build_all(config.exams, config.curriculum, 0)
    assert [exam.card.name for exam in exams] == ["own", "own-2"]
    assert [{item.exam for item in exam.items} for exam in exams] == [{"own"}, {"own-2"}]
    rows = [{"id": "q1", "question": f"{n}?", "options": TEXTS, "answer": "A", "context": "Page."} for n in range(2)]
    for row, place in zip(rows, ("a", "b"), strict=True):
        (tmp_path / f"{place}.jsonl").write_bytes(FORMATS["own.jsonl"]([row]))  # type: ignore[list-item]
    config = RunConfig.model_validate({"exams": [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"), "needle"]})
    first, second, _ = registry.build_all(config.exams, config.curriculum, 0)
    (first_item,), (second_item,) = first.items, second.items
    assert (first_item.id, second_item.id) == ("a/q1", "b/q1") and first_item.cluster != second_item.cluster
    assert first_item.evidence[0] in first.by_id


def test_evidence_is_a_context_or_a_passage_of_the_file_that_wrap_reads(tmp_path: Path) -> None:
    from medctx_data.long_context.passages import from_file

    rows: list[Row] = [{"question": f"{n}?", "A": "x", "B": "y", "answer": "A", "book_id": f"b{n}"} for n in range(2)]
    (tmp_path / "x.csv").write_bytes(as_csv(",")(rows))
    (tmp_path / "books.jsonl").write_bytes(
        FORMATS["own.jsonl"]([{"book_id": f"b{n}", "text": f"Page {n}.", "title": "T"} for n in range(3)])
    )
    exam = build({"exam": str(tmp_path / "x.csv"), "passages": tmp_path / "books.jsonl", "conditions": ["gold"]})
    assert {item.evidence for item in exam.items} == {("b0",), ("b1",)}
    assert [leaf.passage for leaf in from_file(tmp_path / "books.jsonl")] == list(exam.passages)


def test_limit_and_condition_apply_to_the_exams_of_a_config(tmp_path: Path) -> None:
    exam_file = written(tmp_path, "MMLU")
    (tmp_path / "x.yaml").write_text(
        f"models: [{{name: m}}]\nurls: ['http://localhost:1']\ntokenizer: bytes\nexams: [{exam_file}]\n",
        encoding="utf-8",
    )
    done = run("run", "--config", tmp_path / "x.yaml", "--limit", 2, "--dry-run")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["items"] == 2
    done = run("run", "--config", tmp_path / "x.yaml", "--condition", "gol", "--dry-run")
    assert done.exit_code == 2 and "The condition 'gol' is not known" in done.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "There is no exam to ask; give --exam"),
        (["--exam", "medqa", "--condition", "gol"], "The condition 'gol' is not known"),
    ],
)
def test_a_run_that_cannot_begin_is_refused_before_anything_is_fetched(words: list[str], sentence: str) -> None:
    done = run(
        "run", "--model", "m", "--endpoint", "http://localhost:1", "--set", "tokenizer=bytes", *words, "--dry-run"
    )
    assert done.exit_code == 2 and sentence in done.output
