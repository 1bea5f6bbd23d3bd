"""An exam through the endpoint engine against the loopback server: verdicts, journal, troubles."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from medctx.errors import MedctxError, UnfinishedError
from medctx.io.journal import Journal, read_journal
from medctx.io.jsonl import read_records
from medctx.schemas.exam_run import EXAM_FILE, Usage, total_usage
from medctx.schemas.records import Judged, Reply, Verdict
from medctx.text import tokenizer
from medctx_eval.artifacts import run_folder
from medctx_eval.engines.vllm import VllmConfig, VllmServer, installed
from medctx_eval.exams.config import ExamConfig
from medctx_eval.run import examine as examination
from medctx_eval.run import usage_log
from medctx_eval.run.config import ModelConfig, RunConfig
from tests.support.exam_files import ROWS
from tests.support.loopback import Loopback, Rule, serve

pytestmark = pytest.mark.usefixtures("short_waits")


def flat(prompt: list[int], token: int) -> float:
    return -float(1 + token % 7)


def config(server: Loopback, exam: Path, alphabet: Path, **changes: object) -> RunConfig:
    config_of_exam = ExamConfig(exam="file", items=exam, conditions=("closed", "gold"))
    server.mark = tokenizer.load_tokenizer(alphabet).encode("uestion ", add_special_tokens=False)
    values: dict[str, object] = {
        "models": (ModelConfig(name="m"),),
        "exams": (config_of_exam,),
        "engine": "endpoint",
        "urls": (server.url,),
        "tokenizer": str(alphabet),
        "modes": ("letter",),
        "concurrency": 2,
    }
    return RunConfig.model_validate({**values, **changes})


def run(server: Loopback, exam: Path, alphabet: Path, out: Path) -> list[Judged]:
    (folder,) = examination.examine(config(server, exam, alphabet), out)
    return list(run_folder.read_run(folder).judged)


def test_verdicts_add_up_and_the_likeliest_option_is_chosen(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        judged = run(server, exam, alphabet, tmp_path / "out")
    assert len(judged) == ROWS * 2 * 2
    text = [verdict for verdict in judged if verdict.mode == "text"]
    assert len({answered.chosen for answered in text}) == 1, "a rule that knows no item always chooses the same option"
    right = sum(answered.verdict is Verdict.CORRECT for answered in text)
    assert right == len(text) / 2


@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_an_exam_gets_the_permissions_that_the_umask_allows(
    mask: int, exam: Path, alphabet: Path, tmp_path: Path
) -> None:
    """What a server answered may hold what was asked: no file is readable for more than the umask says."""
    before = os.umask(mask)
    try:
        with serve(flat) as server:
            run(server, exam, alphabet, tmp_path / "out")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {"exam.json", "verdicts.jsonl", "replies.jsonl"} <= {path.name for path in files}
    for path in files:
        assert path.stat().st_mode & 0o077 & mask == 0, path


def test_running_again_asks_nothing(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        first = run(server, exam, alphabet, tmp_path / "out")
        sent = len(server.requests)
        assert run(server, exam, alphabet, tmp_path / "out") == first
        assert len(server.requests) == sent


def test_a_torn_journal_is_continued_with_the_same_result(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        first = run(server, exam, alphabet, tmp_path / "out")
        (folder,) = [path.parent for path in (tmp_path / "out").glob("*/" + EXAM_FILE)]
        journal = folder / run_folder.REPLIES
        whole = journal.read_bytes()
        before = (folder / run_folder.VERDICTS).read_bytes()
        for cut in (len(whole) // 3, len(whole) // 2 + 7, len(whole) - 1):
            (folder / EXAM_FILE).unlink()
            journal.write_bytes(whole[:cut])
            assert run(server, exam, alphabet, tmp_path / "out") == first
            assert (folder / run_folder.VERDICTS).read_bytes() == before
            keys = [reply.key for reply in read_records(journal, Reply)]
            assert len(keys) == len(set(keys)) == ROWS * 2 * 2


def test_a_kill_loses_no_answer_that_was_there(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    class Killed(BaseException):
        """Ends the run where it stands."""

    with serve(flat) as server, pytest.MonkeyPatch.context() as patch:
        kept: list[Reply] = []
        add = Journal.add

        def until_five(journal: Journal[Reply], record: Reply) -> None:
            if isinstance(record, Reply):  # usage is logged before the first question, too
                if len(kept) == 5:
                    raise Killed
                kept.append(record)
            add(journal, record)

        patch.setattr(Journal, "add", until_five)
        with pytest.raises(Killed):
            run(server, exam, alphabet, tmp_path / "out")
        (journal,) = (tmp_path / "out").glob("*/" + run_folder.REPLIES)
        assert len(journal.read_bytes().splitlines()) == 5, "in the middle of a Book"


def test_a_continued_run_states_the_cost_of_both_sessions(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        settings = config(server, exam, alphabet)
        (whole,) = examination.examine(settings, tmp_path / "whole")
        server.troubles = [0] * 600
        with pytest.raises(UnfinishedError):
            examination.examine(settings, tmp_path / "out")
        (log,) = (tmp_path / "out").glob("*/" + usage_log.FILE)
        first = total_usage(read_journal(log, Usage))
        server.troubles = []
        (folder,) = examination.examine(settings, tmp_path / "out")
        both, once = run_folder.read_run(folder).manifest.cost, run_folder.read_run(whole).manifest.cost
    assert both.prompt_tokens == first.prompt_tokens + once.prompt_tokens
    assert both.requests == first.requests + once.requests
    assert both.seconds > first.seconds


def test_busy_servers_are_asked_again(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        server.troubles = [429, 503, 0, 500]
        judged = run(server, exam, alphabet, tmp_path / "out")
    assert Verdict.FAILED not in {verdict.verdict for verdict in judged}


def test_an_exam_with_failed_answers_is_unfinished_and_asks_them_again(
    exam: Path, alphabet: Path, tmp_path: Path
) -> None:
    with serve(flat) as server:
        server.troubles = [500] * 600
        with pytest.raises(UnfinishedError, match=r"48 of 48 answers of m failed \(48: 500 from http.*: .*trouble"):
            run(server, exam, alphabet, tmp_path / "out")
        assert not list((tmp_path / "out").glob("*/" + EXAM_FILE))
        server.troubles = []
        judged = run(server, exam, alphabet, tmp_path / "out")
    assert len(judged) == ROWS * 2 * 2
    assert Verdict.FAILED not in {verdict.verdict for verdict in judged}


def test_what_does_not_fit_is_never_sent(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat, max_model_len=8) as server:
        judged = run(server, exam, alphabet, tmp_path / "out")
        assert {verdict.verdict for verdict in judged} == {Verdict.DOES_NOT_FIT}
        assert not server.requests


def letter_rule(name: str, alphabet: Path) -> Rule:
    tokens = tokenizer.load_tokenizer(alphabet)
    liked = set(tokens.encode(name, add_special_tokens=False))
    return lambda _prompt, token: 0.0 if token in liked else -9.0


def test_always_a_gets_the_share_of_a(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(letter_rule("A", alphabet)) as server:
        judged = run(server, exam, alphabet, tmp_path / "out")
    letters = [verdict for verdict in judged if verdict.mode == "letter"]
    assert {letter.chosen for letter in letters} == {("A",)}
    assert sum(letter.verdict is Verdict.CORRECT for letter in letters) == sum("A" in letter.gold for letter in letters)


def test_no_server_is_one_sentence(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        settings = config(server, exam, alphabet)
        wrong = settings.model_copy(update={"models": (ModelConfig(name="other"),)})
        with pytest.raises(MedctxError, match=r"does not serve 'other'; it serves m"):
            examination.examine(wrong, tmp_path / "out")
    with pytest.raises(MedctxError, match="No server answers at"):
        examination.examine(settings, tmp_path / "out2")


def test_an_item_without_gold_is_named(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    lines = exam.read_text().splitlines()
    row = json.loads(lines[2])
    row["answer"] = ""
    exam.write_text("\n".join([*lines[:2], json.dumps(row)]))
    with serve(flat) as server, pytest.raises(MedctxError, match=r"items\.jsonl:3 \(item 'i2'\) has no gold"):
        run(server, exam, alphabet, tmp_path / "out")


def test_a_refused_question_fails_alone_and_a_refusal_of_all_ends_the_exam(
    exam: Path, alphabet: Path, tmp_path: Path
) -> None:
    with serve(flat) as server:
        settings = config(server, exam, alphabet)
        server.complaint = "content filter"
        server.troubles = [400] * 100
        with pytest.raises(MedctxError, match=r"/v1/completions refused a request \(400\): .*content filter"):
            examination.examine(settings, tmp_path / "none")
        server.troubles = [400]
        with pytest.raises(UnfinishedError, match="1 of 48 answers of m failed"):
            run(server, exam, alphabet, tmp_path / "one")
        before = len(server.requests)
        judged = run(server, exam, alphabet, tmp_path / "one")
        assert 1 <= len(server.requests) - before <= 3, "only what failed is asked again"
    assert len(judged) == ROWS * 2 * 2


def test_too_long_for_the_server_is_does_not_fit_and_not_asked_again(
    exam: Path, alphabet: Path, tmp_path: Path
) -> None:
    with serve(flat) as server:
        server.complaint = "This model's maximum context length is 100 tokens"
        server.troubles = [400] * 600
        judged = run(server, exam, alphabet, tmp_path / "out")
        assert {verdict.verdict for verdict in judged} == {Verdict.DOES_NOT_FIT}
        (folder,) = [path.parent for path in (tmp_path / "out").glob("*/" + EXAM_FILE)]
        (folder / EXAM_FILE).unlink()
        server.troubles = []
        before = len(server.requests)
        assert run(server, exam, alphabet, tmp_path / "out") == judged
        assert len(server.requests) == before


def test_a_journal_of_another_model_behind_the_same_name_is_not_continued(
    exam: Path, alphabet: Path, tmp_path: Path
) -> None:
    with serve(flat) as server:
        run(server, exam, alphabet, tmp_path / "out")
        (folder,) = [path.parent for path in (tmp_path / "out").glob("*/" + EXAM_FILE)]
        (folder / EXAM_FILE).unlink()
        server.rule = lambda prompt, token: -float(1 + (token + len(prompt)) % 5)
        with pytest.raises(MedctxError, match="is not the model whose answers are in"):
            run(server, exam, alphabet, tmp_path / "out")


def test_a_copied_journal_of_another_model_is_never_used(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        settings = config(server, exam, alphabet)
        (first,) = examination.examine(settings, tmp_path / "out")
        other = settings.model_copy(update={"models": (ModelConfig(name="m", weights_digest="other"),)})
        (second,) = examination.examine(other, tmp_path / "other")
        before = len(server.requests)
        (second / EXAM_FILE).unlink()
        (second / run_folder.REPLIES).write_bytes((first / run_folder.REPLIES).read_bytes())
        examination.examine(other, tmp_path / "other")
        assert len(server.requests) == before * 2 - before // 2


def test_books_are_pinned_to_one_of_several_servers(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    tokens = tokenizer.load_tokenizer(alphabet)
    with serve(flat) as first, serve(flat) as second:
        both = config(first, exam, alphabet, urls=(first.url, second.url), concurrency=4)
        examination.examine(both, tmp_path / "out")

        def books(server: Loopback) -> set[str]:
            prompts = [prompt for body in server.requests for prompt in body["prompt"] if isinstance(prompt, list)]  # type: ignore[attr-defined]
            texts = [tokens.decode(prompt) for prompt in prompts]
            return {f"Text of question {n}." for n in range(ROWS) for text in texts if f"Text of question {n}." in text}

        assert books(first)
        assert books(second)
        assert not books(first) & books(second)
        assert len(books(first) | books(second)) == ROWS


def test_a_mode_the_server_cannot_do_is_named_with_those_it_can(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        settings = config(server, exam, alphabet, mode="choice")
        with pytest.raises(MedctxError, match="cannot be asked in the mode 'choice' there; possible: text"):
            examination.examine(settings, tmp_path / "out")


@pytest.mark.skipif(not installed(VllmConfig()), reason="vLLM is not installed here")
def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MedctxError, match=f"Port {port} for the vLLM server is in use"):
            VllmServer(tmp_path, tmp_path / "log", VllmConfig(port=port), lora=False)


def test_letters_take_one_request_a_question_and_one_a_book(alphabet: Path, tmp_path: Path) -> None:
    """The canary's requests are a line of the usage of their own: a benchmark tells them from the exam's."""
    books, questions = 3, 5
    rows = [
        {
            "id": f"{book}-{number}",
            "question": f"Question {number}?",
            "options": {letter: f"{letter} {number}" for letter in "ABCD"},
            "answer": "B",
            "context": f"Book {book}. " + "It says nothing. " * 20,
        }
        for book in range(books)
        for number in range(questions)
    ]
    exam = tmp_path / "items.jsonl"
    exam.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serve(flat) as server:
        one_condition = (ExamConfig(exam="file", items=exam, conditions=("gold",)),)
        settings = config(server, exam, alphabet, exams=one_condition, modes=(), mode="letter", concurrency=8)
        server.mark = tokenizer.load_tokenizer(alphabet).encode("It says nothing. ", add_special_tokens=False)
        (folder,) = examination.examine(settings, tmp_path / "out")
    warming = [request for request in server.requests if "logprob_token_ids" not in request]
    asked = [request for request in server.requests if "logprob_token_ids" in request]
    assert (len(warming), len(asked)) == (books, books * questions)
    assert all(len(request["prompt"]) == 1 for request in asked), "one prompt a question"  # type: ignore[arg-type]
    assert all(len(request["prompt"]) % 16 == 0 for request in warming), "whole blocks of the cache"  # type: ignore[arg-type]
    canary, *of_exam = read_journal(folder / usage_log.FILE, Usage)
    assert total_usage(of_exam).requests == len(server.requests)
    sent = sum(len(request["prompt"]) for request in warming) + sum(len(request["prompt"][0]) for request in asked)  # type: ignore[arg-type, index]
    assert total_usage(of_exam).prompt_tokens == sent
    assert canary.requests == 2 * 3, "each prompt, and what goes on from it"
    assert run_folder.read_run(folder).manifest.cost.requests == canary.requests + len(server.requests)
