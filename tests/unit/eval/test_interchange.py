"""Logs of other harnesses as examined runs: small files that lm-eval 0.4.13, inspect 0.3.285 and Every Eval Ever wrote.

The olmo-eval files are made after its published form.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from medctx.errors import MedctxError
from medctx.schemas.records import ExamItem, Passage, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main
from medctx_eval.interchange import exam_export, inspect_log, lm_eval_samples, olmo_predictions
from medctx_eval.interchange.every_eval_export import export_run
from medctx_eval.interchange.foreign import ForeignAnswer, ForeignRun, letter_of, option_texts, split_prompt
from medctx_eval.interchange.join import ItemIndex, items_of_run, join_run
from medctx_eval.interchange.read_runs import is_foreign, read_every_eval, read_foreign, resolve_runs, with_short_names
from medctx_eval.report.compare import compare
from medctx_eval.report.config import ReportConfig

FILES = Path(__file__).with_name("interchange_files")
FIRST, SECOND = FILES / "lm_eval" / "first", FILES / "lm_eval" / "second"


def verdicts(run: ForeignRun, mode: str) -> dict[str, tuple[str, str]]:
    return {
        answer.item: ("".join(answer.chosen), answer.verdict.value) for answer in run.answers if answer.mode == mode
    }


def logged(folder: Path, task: str, metric: str) -> list[float]:
    file = next(folder.glob(f"samples_{task}_*.jsonl"))
    return [json.loads(line)[metric] for line in file.read_text().splitlines()]


@pytest.mark.parametrize("folder", [FIRST, SECOND])
@pytest.mark.parametrize(
    ("task", "metric", "mode"),
    [("mini_letters", "acc", "letter"), ("mini_texts", "acc", "text-raw"), ("mini_texts", "acc_norm", "text")],
)
def test_lm_eval_samples_have_the_scores_that_lm_eval_gave(folder: Path, task: str, metric: str, mode: str) -> None:
    (run,) = lm_eval_samples.read(folder)
    answers = [answer for answer in run.answers if answer.exam == task and answer.mode == mode]
    right = [float(answer.verdict == Verdict.CORRECT) for answer in answers]
    assert right == logged(folder, task, metric)
    assert all((answer.chosen == answer.gold) == (answer.verdict == Verdict.CORRECT) for answer in answers)
    assert answers[0].options == ("Aspirin", "Heparin", "Warfarin", "Alteplase")


def test_lm_eval_names_model_version_and_unread_answers() -> None:
    (run,) = lm_eval_samples.read(SECOND)
    assert (run.model, run.harness) == ("acme/second-dummy", "lm-eval 0.4.13")
    written = [answer for answer in run.answers if answer.mode == "generate"]
    assert {answer.verdict for answer in written} == {Verdict.UNPARSABLE}  # the filter found no letter
    assert [answer.gold for answer in written] == [("D",), ("B",), ("C",), ("B",)]


def test_inspect_logs_have_the_scores_that_inspect_gave() -> None:
    first, second = inspect_log.read(FILES / "inspect")
    assert first.model == "mockllm/first" and first.harness == "inspect 0.3.285"
    assert verdicts(first, "generate") == {
        "q1": ("D", "correct"), "q2": ("B", "correct"), "q3": ("A", "wrong"), "q4": ("", "unparsable"),
    }  # fmt: skip
    assert [answer.verdict.value for answer in second.answers] == ["wrong", "correct", "correct", "correct"]


def test_every_eval_ever_records_are_read_as_their_source() -> None:
    (record,) = read_every_eval(FILES / "every_eval" / "from_lm_eval")
    (log,) = lm_eval_samples.read(SECOND)
    from_log = [answer for answer in log.answers if answer.exam == "mini_letters"]
    assert [(answer.chosen, answer.gold, answer.verdict, answer.mode) for answer in record.answers] == [
        (answer.chosen, answer.gold, answer.verdict, answer.mode) for answer in from_log
    ]
    (inspected,) = read_every_eval(FILES / "every_eval" / "from_inspect")
    second = inspect_log.read(FILES / "inspect" / "second.json")[0]
    assert verdicts(inspected, "generate") == verdicts(second, "generate")


def test_olmo_predictions_are_read_with_their_primary_metric() -> None:
    (run,) = olmo_predictions.read(FILES / "olmo")
    assert run.model == "tiny"
    assert verdicts(run, "text-raw") == {
        "q1": ("D", "correct"), "q2": ("A", "wrong"), "q3": ("C", "correct"), "q4": ("B", "correct"),
    }  # fmt: skip
    assert run.answers[0].question == "Which drug lyses clots?"


@pytest.mark.parametrize(
    ("sources", "mode", "items", "shares"),
    [
        ([FIRST, SECOND], "letter", 4, [0.5, 0.5]),
        ([FILES / "inspect"], "generate", 4, [0.5, 0.75]),
        ([FILES / "inspect" / "first.eval", SECOND], "generate", 4, [0.5, 0.0]),
        ([SECOND, FILES / "inspect" / "first.eval"], "generate", 4, [0.0, 0.5]),
        ([FILES / "every_eval" / "from_lm_eval", FIRST], "letter", 4, [0.5, 0.5]),
        ([FILES / "olmo", FIRST], "text-raw", 4, [0.75, 0.25]),
    ],
)  # fmt: skip
def test_runs_of_any_two_harnesses_are_compared(
    sources: list[Path], mode: str, items: int, shares: list[float], tmp_path: Path
) -> None:
    folders = resolve_runs([str(source) for source in sources], tmp_path)
    for folder, share in zip(folders, shares, strict=True):
        judged = [record for record in run_folder.read_run(folder).judged if record.mode == mode]
        assert len({record.item for record in judged}) == items
        assert sum(record.verdict == Verdict.CORRECT for record in judged) / len(judged) == share
    result = compare(folders, ReportConfig(mode=mode, draws=200))  # type: ignore[arg-type]
    assert [round(cell.accuracy.value, 3) for cell in result.accuracies] == shares


def test_the_number_of_joined_items_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compare", str(FIRST), str(SECOND), "--mode", "letter", "--draws", "200"])
    assert result.exit_code == 0, result.output
    assert "second-dummy (lm-eval 0.4.13): 12 of 12 items joined, 12 by id and 0 by text" in result.output


def test_runs_without_a_common_mode_or_item_are_refused(tmp_path: Path) -> None:
    letters = next(FIRST.glob("samples_mini_letters_*"))
    with pytest.raises(MedctxError, match="no common mode"):
        resolve_runs([str(letters), str(FILES / "inspect" / "first.eval")], tmp_path / "a")
    other = tmp_path / "other" / letters.name
    other.parent.mkdir()
    text = letters.read_text().replace('"q', '"other-').replace("Which", "What")
    other.write_text(text)
    with pytest.raises(MedctxError, match="No item of other is an item of acme"):
        resolve_runs([str(letters), str(other)], tmp_path / "b")


def answer(item: str, question: str, options: str, gold: str, chosen: str) -> ForeignAnswer:
    verdict = Verdict.CORRECT if gold == chosen else Verdict.WRONG
    return ForeignAnswer("e", item, question, tuple(options.split()), (gold,), (chosen,), verdict, "generate")


def run_of(*answers: ForeignAnswer) -> ForeignRun:
    return ForeignRun("m", "h", Path(), answers)


def test_letters_are_translated_where_options_are_in_another_order() -> None:
    index = {"generate": ItemIndex(items_of_run(run_of(answer("1", "Which?", "red blue green", "B", "B")))["generate"])}
    joined = join_run(run_of(answer("x", "which", "green red blue", "C", "A")), index)  # type: ignore[arg-type]
    assert (joined.by_id, joined.by_text) == (0, 1)
    assert (joined.judged[0].gold, joined.judged[0].chosen) == (("B",), ("C",))


def test_the_same_id_of_another_question_is_not_joined() -> None:
    index = {"generate": ItemIndex(items_of_run(run_of(answer("0", "Which?", "red blue", "A", "A")))["generate"])}
    joined = join_run(run_of(answer("0", "Where?", "here there", "A", "A")), index)  # type: ignore[arg-type]
    assert (joined.judged, joined.left_out) == ((), 1)
    disagreeing = join_run(run_of(answer("0", "Which?", "red blue", "B", "B")), index)  # type: ignore[arg-type]
    assert (disagreeing.judged, disagreeing.disagreeing) == ((), 1)


def test_a_row_number_without_a_question_is_an_id_in_its_own_exam_only() -> None:
    """olmo-eval calls rows doc_3 and keeps their questions in another file."""
    index = {"generate": ItemIndex(items_of_run(run_of(answer("doc_3", "Which?", "red blue", "A", "A")))["generate"])}

    def joined(exam: str, options: str) -> int:
        silent = replace(answer("doc_3", "", options, "A", "B"), exam=exam)
        return len(join_run(run_of(silent), index).judged)  # type: ignore[arg-type]

    assert (joined("e", "here there"), joined("other", "here there"), joined("other", "blue red")) == (1, 0, 0)
    assert joined("other", "red blue") == 1


def test_a_stated_cluster_is_kept_and_passages_that_begin_alike_are_two() -> None:
    head = "Record of the ward. " * 30
    found = [answer(str(n), f"Q{n}?", "red blue", "A", "A") for n in range(4)]
    run = run_of(
        replace(found[0], passage=f"{head} one"), replace(found[1], passage=f"{head} two"),
        replace(found[2], passage=f"{head} one"), replace(found[3], passage=head, cluster="patient-7"),
    )  # fmt: skip
    clusters = [item.cluster for item in items_of_run(run)["generate"]]
    assert len(set(clusters)) == 3 and clusters[0] == clusters[2] and clusters[3] == "patient-7"


@pytest.mark.parametrize(
    ("models", "short"),
    [
        (["/models/base", "/models/tuned"], ["base", "tuned"]),
        (["/a/step-10", "/b/step-10"], ["a/step-10", "b/step-10"]),
        (["/a/base", "base"], ["a/base", "base"]),
        (["acme/base", "/x/base", "/x/base"], ["acme/base", "base", "base"]),
        (["acme/base"], ["acme/base"]),
    ],
)
def test_a_model_called_by_its_folder_gets_the_end_that_tells_it_apart(models: list[str], short: list[str]) -> None:
    runs = [ForeignRun(model, "h", Path(), ()) for model in models]
    assert [run.model for run in with_short_names(runs)] == short


def test_a_long_question_is_joined_by_id_with_its_shortened_form() -> None:
    question = "A patient was seen in the clinic and then again. " * 30
    index = {"generate": ItemIndex(items_of_run(run_of(answer("7", question, "red blue", "A", "A")))["generate"])}
    for mark in ("...", "...\n(content truncated)"):
        joined = join_run(run_of(answer("7", f"{question[:900]}{mark}", "red blue", "A", "B")), index)  # type: ignore[arg-type]
        assert (joined.by_id, joined.left_out) == (1, 0)


@pytest.mark.parametrize(
    "document",
    [
        {"choices": ["red", "blue"]},
        {"options": {"A": "red", "B": "blue"}},
        {"choices": {"text": ["red", "blue"], "label": ["A", "B"]}},
        {"options": [{"key": "A", "value": "red"}, {"key": "B", "value": "blue"}]},
        {"opa": "red", "opb": "blue"},
        {"A": "red", "B": "blue"},
    ],
)
def test_options_are_found_in_the_layouts_of_data_sets(document: dict[str, object]) -> None:
    assert option_texts(document) == ("red", "blue")


def test_a_prompt_is_split_into_its_last_question_and_options() -> None:
    prompt = "Question: First?\nA. one\nB. two\nAnswer: A\n\nQuestion: Second?\nA) three\nB) four\nAnswer:"
    assert split_prompt(prompt) == ("Second?", ("three", "four"))
    assert split_prompt("Who?\nAnswer:") == ("Who?", ())
    assert [letter_of(text, ("red", "blue")) for text in ("(B)", "blue", "C", "")] == ["B", "B", "", ""]


def test_broken_and_unfinished_logs_are_one_sentence(tmp_path: Path) -> None:
    log = json.loads((FILES / "inspect" / "second.json").read_text())
    (tmp_path / "log.json").write_text(json.dumps({**log, "status": "error"}))
    with pytest.raises(MedctxError, match="status 'error'"):
        read_foreign(tmp_path / "log.json")
    (tmp_path / "broken.eval").write_bytes(b"PK no archive")
    with pytest.raises(MedctxError, match="not an inspect log"):
        read_foreign(tmp_path / "broken.eval")
    samples = tmp_path / "samples_t_2026-01-01T00-00-00.jsonl"
    samples.write_text('{"doc_id": 0, "metrics": ["bleu"], "bleu": 0.3, "filtered_resps": ["x"], "arguments": {}}\n')
    with pytest.raises(MedctxError, match="no metric of 0 or 1"):
        read_foreign(samples)
    assert not is_foreign(tmp_path / "nothing")


COMPARE_IN_A_FRESH_PROCESS = """
import json, sys, time
from click.testing import CliRunner
from medctx_eval.cli.main import main
result = CliRunner().invoke(main, ["compare", *sys.argv[1:], "--json"])
heavy = sorted({"torch", "transformers", "vllm", "datasets", "matplotlib"} & sys.modules.keys())
print(json.dumps({"seconds": time.process_time(), "heavy": heavy, "result": result.stdout, "said": result.stderr}))
"""


def test_ten_thousand_items_are_compared_without_torch_in_seconds(tmp_path: Path) -> None:
    line = next(SECOND.glob("samples_mini_letters_*")).read_text().splitlines()[0]
    for model in ("first", "second"):
        rows = [line.replace('"q1"', f'"q{n}"').replace("clots?", f"clots {n}?") for n in range(10_000)]
        if model == "first":
            rows = [row.replace('"acc": 1.0', '"acc": 0.0') if n % 3 else row for n, row in enumerate(rows)]
        file = tmp_path / model / "samples_big_2026-01-01T00-00-00.jsonl"
        file.parent.mkdir()
        file.write_text("\n".join(rows))
    folders = [str(tmp_path / model) for model in ("first", "second")]
    done = subprocess.run(
        [sys.executable, "-c", COMPARE_IN_A_FRESH_PROCESS, *folders], capture_output=True, text=True, check=True
    )
    measured = json.loads(done.stdout)
    assert measured["heavy"] == []
    assert measured["seconds"] < 10  # 3.8 s on one idle core
    assert measured["said"].count("10,000 of 10,000 items joined") == 2
    accuracies = json.loads(measured["result"])["details"]["accuracies"]
    assert {cell["accuracy"]["n"] for cell in accuracies} == {10_000}
    assert len({cell["accuracy"]["value"] for cell in accuracies}) == 2


ITEMS = [
    ExamItem(
        id=f"i{number}", exam="own", question=f"Question {number}?", options={"A": "red", "B": "blue"}, gold=("B",),
        cluster="c", evidence=("p",),
    )
    for number in range(3)
]  # fmt: skip
PASSAGES = {"p": Passage(id="p", text="It is blue.")}


def test_an_exam_becomes_an_lm_eval_task(tmp_path: Path) -> None:
    rows, letters, written = exam_export.export_lm_eval("own exam", ITEMS, PASSAGES, tmp_path)
    row = json.loads(rows.read_text().splitlines()[0])
    assert row == {
        "id": "i0", "question": "Question 0?", "options": ["red", "blue"], "letters": ["A", "B"], "gold": 1,
        "passage": "It is blue.", "cluster": "c",
    }  # fmt: skip
    config = yaml.safe_load(letters.read_text())
    assert (config["task"], config["output_type"], config["doc_to_target"]) == ("own_exam", "multiple_choice", "gold")
    assert yaml.safe_load(written.read_text())["output_type"] == "generate_until"
    several = ITEMS[0].model_copy(update={"multiple": True})
    with pytest.raises(MedctxError, match="several right letters"):
        exam_export.export_lm_eval("own", [several], {}, tmp_path)


def test_an_exam_becomes_an_inspect_task(tmp_path: Path) -> None:
    rows, task = exam_export.export_inspect("own exam", ITEMS, {}, tmp_path)
    assert json.loads(rows.read_text().splitlines()[2]) == {
        "id": "i2", "input": "Question 2?", "choices": ["red", "blue"], "target": ["B"],
        "metadata": {"exam": "own", "cluster": "c"},
    }  # fmt: skip
    compile(task.read_text(), str(task), "exec")
    assert "def own_exam()" in task.read_text()


def test_a_run_exported_to_every_eval_ever_reads_back_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = resolve_runs([str(FILES / "inspect" / "first.eval")], tmp_path / "runs")
    (aggregate,) = export_run(folder, tmp_path / "out", developer="acme", time="1796000000")
    record = json.loads(aggregate.read_text())
    assert aggregate.relative_to(tmp_path / "out").parts[:4] == ("data", "mini", "acme", "first")
    assert record["model_info"]["id"] == "acme/first"
    assert record["evaluation_results"][0]["score_details"]["score"] == 0.5
    assert record["detailed_evaluation_results"]["total_rows"] == 4
    samples = aggregate.with_name(f"{aggregate.stem}_samples.jsonl")
    lines = samples.read_text().splitlines(keepends=True)
    samples.write_text(
        "".join([*lines, lines[0].replace('"medctx_condition": "closed"', '"medctx_condition": "gold"')])
    )
    (back,) = read_every_eval(tmp_path / "out")
    assert "1 records of questions with a Book are not read" in " ".join(capsys.readouterr().err.split())
    (source,) = inspect_log.read(FILES / "inspect" / "first.eval")
    assert verdicts(back, "generate") == verdicts(source, "generate")
    assert Counter(answer.verdict for answer in back.answers)[Verdict.UNPARSABLE] == 1
    shutil.rmtree(folder.parent / "items")
    with pytest.raises(MedctxError, match="items of"):
        export_run(folder, tmp_path / "again")
