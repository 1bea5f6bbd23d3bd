"""Servers in trouble: what is no answer is asked again, what failed is unfinished, and no answer is taken on trust."""

from __future__ import annotations

import gc
import gzip
import json
import math
import re
import shutil
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx.errors import MedctxError, UnfinishedError
from medctx.io.journal import read_journal
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.records import Judged, Reply, Verdict
from medctx.text import tokenizer
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main
from medctx_eval.engines import client
from medctx_eval.exams.config import ExamConfig
from medctx_eval.run import examine
from medctx_eval.run.config import ModelConfig, RunConfig
from tests.support import loopback
from tests.support.exam_files import ROWS, write_exam
from tests.support.scripted_server import (
    Question,
    Reaction,
    ScriptedServer,
    arguments,
    completion,
    says,
    serve,
    settings,
)

pytestmark = pytest.mark.usefixtures("short_waits")


def judged(config: RunConfig, out: Path) -> tuple[Judged, ...]:
    (folder,) = examine.examine(config, out)
    return run_folder.read_run(folder).judged


def call(server: ScriptedServer, exam: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(main, arguments([server.url], exam, out, *more))


def finished(out: Path) -> list[Path]:
    return sorted(file.parent for file in out.glob(f"*/{EXAM_FILE}"))


def replies(out: Path) -> list[Reply]:
    (journal,) = out.glob(f"*/{run_folder.REPLIES}")
    return list(read_journal(journal, Reply))


# What is no answer -----------------------------------------------------------------------------------------------

WHOLE = json.dumps(completion()).encode()
NO_ANSWERS: dict[str, Reaction] = {
    "busy": says({"error": "overloaded"}, 503),
    "too many requests": Reaction(b"slow down", 429, headers={"Retry-After": "0"}),
    "bad gateway, a web page": Reaction(b"<html>bad gateway</html>", 502),
    "a stray refusal of the key": says({"error": "unknown key"}, 401),
    "a cut connection": Reaction(None),
    "an error with status 200": says({"error": {"message": "Provider returned error"}}),
    "an error with status 200 and code": says({"error": {"message": "Provider returned error", "code": 502}}),
    "half JSON": Reaction(WHOLE[: len(WHOLE) // 2]),
    "a web page with status 200": Reaction(b"<!doctype html><html><body>Please wait</body></html>"),
    "nothing": Reaction(b""),
    "null": Reaction(b"null"),
    "bytes that are no text": Reaction(b"\xff\xfe\x00"),
    "no choices": says({"id": "x", "choices": []}),
    "a number instead of a text": says(completion() | {"choices": [{"index": 0, "message": {"content": 3}}]}),
    "the finish reason error": says(completion("", finish_reason="error")),
    "the finish reason abort": says(completion("The answ", finish_reason="abort")),
    "nothing with status 204": Reaction(b"", 204),
    "half a packed answer": Reaction(gzip.compress(WHOLE)[:-12], headers={"Content-Encoding": "gzip"}),
    "an answer that is not packed as it says": Reaction(WHOLE, headers={"Content-Encoding": "gzip"}),
    "lists without end": Reaction(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a stream of something else": Reaction(b'data: {"choices": ["B"]}\n\ndata: [DONE]\n\n'),
    "an error beside an answer": says(completion("The answer is A.") | {"error": "overloaded"}),
    "an error beside a text": says(completion("The answer is A.", error={"message": "lost the backend"})),
    "the finish reason network_error": says(completion("The answer is A", finish_reason="network_error")),
    "the finish reason insufficient_system_resource": says(
        completion("The answer is A", finish_reason="insufficient_system_resource")
    ),
    "the finish reason Cancelled": says(completion("The answer is A", finish_reason="Cancelled")),
    "two choices": says({"choices": [{"index": n, "message": {"content": "The answer is A."}} for n in (0, 1)]}),
    "a choice of another prompt": says(completion("The answer is A.", index=1)),
    "another model": says(completion("The answer is A.", model="a-cheaper-one")),
}


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer_is_asked_again(what: str, exam: Path, tmp_path: Path) -> None:
    def react(question: Question) -> Reaction | None:
        return NO_ANSWERS[what] if 3 <= question.number < 6 else None

    with serve(react) as server:
        records = judged(settings([server.url], exam), tmp_path / "out")
        assert len(server.questions) == ROWS + 3
    assert {record.chosen for record in records} == {("B",)}, "nothing but the whole answers is read"
    assert Verdict.FAILED not in {record.verdict for record in records}


REASONS = {
    "busy": "503 from",
    "an error with status 200": "no completion from .*Provider returned error",
    "half JSON": "no completion from",
    "a web page with status 200": "no completion from .*Please wait",
    "nothing": r"no completion from .*\(nothing\)",
    "the finish reason error": "the finish reason 'error' from",
    "two choices": "2 choices for 1 prompt from",
    "a choice of another prompt": r"choices with the indices \[1\] from",
    "another model": "an answer of the model 'a-cheaper-one' instead of 'm' from",
}


@pytest.mark.parametrize("what", REASONS)
def test_failed_answers_are_unfinished_work_and_asked_again_alone(what: str, exam: Path, tmp_path: Path) -> None:
    broken = True

    def react(question: Question) -> Reaction | None:
        hard = any(f"Question {n}?" in question.message for n in (3, 7))
        return NO_ANSWERS[what] if hard and broken else None

    with serve(react) as server:
        first = call(server, exam, tmp_path / "out")
        assert first.exit_code == 1, first.output
        sentence = first.stderr.splitlines()[-1]
        assert re.search(rf"2 of {ROWS} answers of m failed \(2: {REASONS[what]}.*run the same command again", sentence)
        assert not finished(tmp_path / "out")
        assert sum(reply.problem == "failed" for reply in replies(tmp_path / "out")) == 2
        broken, before = False, len(server.questions)
        second = call(server, exam, tmp_path / "out")
        assert second.exit_code == 0, second.output
        assert len(server.questions) == before + 2, "only what failed is asked again"
        third = call(server, exam, tmp_path / "out")
        assert third.exit_code == 0 and len(server.questions) == before + 2
    (folder,) = finished(tmp_path / "out")
    assert len(run_folder.read_run(folder).judged) == ROWS


def test_a_server_that_answers_nothing_ends_the_run_which_is_continued(exam: Path, tmp_path: Path) -> None:
    down = False

    def react(question: Question) -> Reaction | None:
        nonlocal down
        down = down or question.number > 5
        server.react_to_probes = NO_ANSWERS["busy"] if down else None
        return NO_ANSWERS["busy"] if down else None

    with serve(react) as server:
        begun = time.monotonic()
        first = call(server, exam, tmp_path / "out", "give_up_s=1")
        assert time.monotonic() - begun < 20
        assert first.exit_code == 1, first.output
        assert "has answered nothing for a while (503 from" in first.stderr and "same command" in first.stderr
        assert not finished(tmp_path / "out")
        kept = sum(not reply.problem for reply in replies(tmp_path / "out"))
        assert kept == 5
        server.react, server.react_to_probes = lambda question: None, None
        before = len(server.questions)
        second = call(server, exam, tmp_path / "out", "give_up_s=1")
        assert second.exit_code == 0, second.output
        assert len(server.questions) - before == ROWS - kept


def test_a_question_that_a_working_server_never_answers_fails_alone(exam: Path, tmp_path: Path) -> None:
    """The server answers pings meanwhile, so it does not count as down however long that question takes."""

    def react(question: Question) -> Reaction | None:
        return NO_ANSWERS["busy"] if "Question 11?" in question.message else None

    with serve(react) as server, pytest.raises(UnfinishedError, match=f"1 of {ROWS} answers"):
        judged(settings([server.url], exam, concurrency=1), tmp_path / "out")


WRAPPED: dict[str, Reaction] = {
    "a byte order mark": Reaction(b"\xef\xbb\xbf" + WHOLE),
    "half a surrogate pair": Reaction(WHOLE.replace(b"The answer", b"\\ud835 The answer")),
    "a broken byte": Reaction(WHOLE.replace(b"The answer", b"\xe2\x82 The answer")),
    "a null character": says(completion("The answer is \0B.")),
    "a stream of whole messages": Reaction(b"data: " + WHOLE + b"\n\ndata: [DONE]\n\n"),
    "status 201": says(completion(), 201),
    **{
        f"a prompt of {count!r} tokens": says(completion() | {"usage": {"prompt_tokens": count}})
        for count in (0, -5, 12.5, "12", "many", None)
    },
}


@pytest.mark.parametrize("what", WRAPPED)
def test_an_answer_is_read_whatever_is_around_it(what: str, exam: Path, tmp_path: Path) -> None:
    with serve(lambda question: WRAPPED[what]) as server:
        records = judged(settings([server.url], exam), tmp_path / "out")
        assert len(server.questions) == ROWS
    assert {record.chosen for record in records} == {("B",)}


@pytest.mark.parametrize(
    "reason", ["length", "max_tokens", "MAX_TOKENS", "model_length", "content_filter", "SAFETY", "sensitive"]
)
def test_an_answer_that_a_limit_or_a_filter_ended_is_truncated(reason: str, exam: Path, tmp_path: Path) -> None:
    """Whatever the server calls it; what was stated before the end counts."""

    def react(question: Question) -> Reaction:
        text = "The answer is B." if question.number % 2 else "Let us go through the options. Option A"
        return says(completion(text, finish_reason=reason))

    with serve(react) as server:
        records = judged(settings([server.url], exam), tmp_path / "out")
    verdicts = [record.verdict for record in records]
    assert verdicts.count(Verdict.TRUNCATED) == ROWS // 2 and Verdict.UNPARSABLE not in verdicts


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_named_and_not_followed(status: int, exam: Path, tmp_path: Path) -> None:
    with serve() as elsewhere, serve() as server:
        away = Reaction(b"", status, headers={"Location": f"{elsewhere.url}/v1/chat/completions?key=sk-planted-0193"})
        server.react_to_probes = away
        refused = call(server, exam, tmp_path / "out")
        assert refused.exit_code == 2, refused.output
        assert f"redirects to {elsewhere.url}" in refused.stderr and "sk-planted" not in refused.output
        assert not elsewhere.questions and not server.questions


# Impossible numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.5, 1e308])
def test_an_impossible_log_probability_is_a_failed_answer_that_names_the_model(
    value: float, exam: Path, alphabet: Path, tmp_path: Path
) -> None:
    tokens = tokenizer.load_tokenizer(alphabet)
    hard = tokens.encode("uestion 5", add_special_tokens=False)
    damaged = True

    def rule(prompt: list[int], token: int) -> float:
        holds = any(prompt[n : n + len(hard)] == hard for n in range(len(prompt)))
        return value if damaged and holds else -float(1 + token % 7)

    with loopback.serve(rule) as server:
        server.mark = tokens.encode("uestion ", add_special_tokens=False)
        config = RunConfig(
            models=(ModelConfig(name="m"),),
            exams=(ExamConfig(exam="file", items=exam),),
            engine="endpoint",
            urls=(server.url,),
            tokenizer=str(alphabet),
            modes=("letter",),
        )
        with pytest.raises(UnfinishedError, match=r"2 of 24 answers of m failed \(2: m gave .* as a log-probability"):
            judged(config, tmp_path / "out")
        failed = [reply for reply in replies(tmp_path / "out") if reply.problem == "failed"]
        assert [reply.item for reply in failed] == ["i5", "i5"] and all(not reply.scores for reply in failed)
        damaged = False
        assert Verdict.FAILED not in {record.verdict for record in judged(config, tmp_path / "out")}


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.5, None])
def test_an_impossible_log_probability_of_a_listed_letter_fails_too(
    value: float | None, exam: Path, tmp_path: Path
) -> None:
    def react(question: Question) -> Reaction | None:
        top = [{"token": "A", "logprob": -0.2}, {"token": "B", "logprob": value if question.number < 99 else -2.0}]
        return says(completion("A", logprobs={"content": [{"top_logprobs": top}]}))

    listed = [{"token": "A", "logprob": -0.2}, {"token": "B", "logprob": -2.0}]
    with serve(react) as server:
        server.react_to_probes = says(completion("A", logprobs={"content": [{"top_logprobs": listed}]}))
        with pytest.raises(UnfinishedError, match=f"{ROWS} of {ROWS} answers of m failed"):
            judged(settings([server.url], exam, mode="letter"), tmp_path / "out")
    assert len(replies(tmp_path / "out")) == ROWS, "the journal stays readable"


LISTS: dict[str, tuple[list[tuple[str, float]] | None, str]] = {
    "no list": (None, "the answer lists no log-probabilities"),
    "an empty list": ([], "the answer lists no log-probabilities"),
    "probabilities above 1 together": ([("A", -0.05), ("B", -0.05)], r"2 tokens add up to 1\.90"),
    "nothing likely": ([("A", -9999.0), ("B", -9999.0)], "the likeliest token has a log-probability of -9999"),
    "scores": ([("A", -20.5), ("B", -22.0), ("The", -19.0)], "the likeliest token has a log-probability of -19"),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_that_is_no_distribution_is_a_failed_answer(what: str, exam: Path, tmp_path: Path) -> None:
    def listing(top: list[tuple[str, float]] | None) -> Reaction:
        tokens = [{"token": token, "logprob": logprob} for token, logprob in top or ()]
        return says(
            completion("A") if top is None else completion("A", logprobs={"content": [{"top_logprobs": tokens}]})
        )

    top, words = LISTS[what]
    with serve(lambda question: listing(top if "Question 3?" in question.message else whole)) as server:
        whole = [("A", -0.2), ("B", -2.0)]
        server.react_to_probes = listing(whole)
        with pytest.raises(UnfinishedError, match=f"1 of {ROWS} answers of m failed .*{words}"):
            judged(settings([server.url], exam, mode="letter"), tmp_path / "out")
        top = whole
        assert len(judged(settings([server.url], exam, mode="letter"), tmp_path / "out")) == ROWS


def test_scores_that_are_no_log_probabilities_are_failed_answers(exam: Path, alphabet: Path, tmp_path: Path) -> None:
    """Logits of -1 to -7 pass one by one; together they are no probabilities."""
    with loopback.serve(lambda _prompt, token: -1.0 - 0.01 * (token % 7)) as server:
        server.mark = tokenizer.load_tokenizer(alphabet).encode("uestion ", add_special_tokens=False)
        server.shift = 0.5
        config = RunConfig(
            models=(ModelConfig(name="m"),),
            exams=(ExamConfig(exam="file", items=exam),),
            engine="endpoint",
            urls=(server.url,),
            tokenizer=str(alphabet),
            mode="letter",
        )
        with pytest.raises(MedctxError, match="add up to"):
            judged(config, tmp_path / "out")


# Answers are not taken on trust ----------------------------------------------------------------------------------


def test_a_prompt_that_the_server_cut_does_not_fit_and_that_is_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": f"i{n}", "question": f"Question {n}?", "options": {"A": "yes", "B": "no"}, "answer": "B"}
        | {"context": "A long context without an end. " * 100}
        for n in range(6)
    ]
    exam = tmp_path / "items.jsonl"
    exam.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def react(question: Question) -> Reaction | None:
        return says(completion("The answer is A.", tokens=min(256, len(question.message) // 4)))

    files = ExamConfig(exam="file", items=exam, conditions=("closed", "gold"))
    with serve(react) as server:
        records = judged(settings([server.url], tmp_path, exams=(files,)), tmp_path / "out")
    assert {record.verdict for record in records if record.condition == "gold"} == {Verdict.DOES_NOT_FIT}
    assert {record.verdict for record in records if record.condition == "closed"} == {Verdict.WRONG}
    said = capfd.readouterr()
    assert (said.out + said.err).replace("\n", " ").count("WARNING") == 1


@pytest.mark.parametrize(
    ("tokens", "verdict"), [(None, Verdict.WRONG), (10_000, Verdict.WRONG), (1, Verdict.DOES_NOT_FIT)]
)
def test_tokens_counted_by_the_server_are_held_against_those_sent(
    tokens: int | None, verdict: Verdict, exam: Path, tmp_path: Path
) -> None:
    """More tokens than sent are a template's; fewer than a tenth of the bytes cannot hold the prompt."""
    with serve(lambda question: says(completion("The answer is C.", tokens=tokens))) as server:
        records = judged(settings([server.url], exam), tmp_path / "out")
    assert {record.verdict for record in records} <= {verdict, Verdict.UNPARSABLE}
    assert any(record.verdict is verdict for record in records) or verdict is Verdict.WRONG


def test_a_long_answer_that_was_cut_is_truncated_not_wrong(exam: Path, tmp_path: Path) -> None:
    with serve(lambda question: says(completion("Let me think about", finish_reason="length"))) as server:
        records = judged(settings([server.url], exam), tmp_path / "out")
    assert {record.verdict for record in records} == {Verdict.TRUNCATED}


# Identity of what answers ----------------------------------------------------------------------------------------


def test_two_servers_under_one_model_name_never_share_a_folder(exam: Path, tmp_path: Path) -> None:
    """Another address, other words of the same address: other folders; the same address and words: the same one."""
    out = tmp_path / "out"
    words = {"root": "weights-1", "max_model_len": 8192}
    with serve(lambda question: says(completion("The answer is A.")), words) as first:
        port = first.server_port
        assert {record.chosen for record in judged(settings([first.url], exam), out)} == {("A",)}
        with serve(entry=words) as second:
            assert {record.chosen for record in judged(settings([second.url], exam), out)} == {("B",)}
            assert len(second.questions) == ROWS and len(finished(out)) == 2
            examine.examine(settings([second.url], exam), out)
            assert len(second.questions) == ROWS, "the same server is examined already"
    for number, changed in enumerate(
        ({"root": "weights-2"}, {"owned_by": "another"}, {"max_model_len": 4096}), start=3
    ):
        with serve(entry=words | changed, port=port) as later:
            assert {record.chosen for record in judged(settings([later.url], exam), out)} == {("B",)}
            assert len(later.questions) == ROWS and len(finished(out)) == number


def test_a_finished_exam_is_not_that_of_another_model_behind_the_same_words(
    exam: Path, alphabet: Path, tmp_path: Path
) -> None:
    """The canary tells two models apart that a server gives the same name and description."""
    with loopback.serve(lambda _prompt, token: -float(1 + token % 7)) as server:
        server.mark = tokenizer.load_tokenizer(alphabet).encode("uestion ", add_special_tokens=False)
        config = RunConfig(
            models=(ModelConfig(name="m"),),
            exams=(ExamConfig(exam="file", items=exam),),
            engine="endpoint",
            urls=(server.url,),
            tokenizer=str(alphabet),
        )
        (folder,) = examine.examine(config, tmp_path / "out")
        assert examine.examine(config, tmp_path / "out") == [folder]
        server.rule = lambda prompt, token: -float(1 + (token + len(prompt)) % 5)
        with pytest.raises(MedctxError, match="is not the model whose answers are in"):
            examine.examine(config, tmp_path / "out")


def test_servers_that_say_different_things_of_a_model_are_not_asked_together(exam: Path, tmp_path: Path) -> None:
    with serve(entry={"max_model_len": 8192}) as first, serve(entry={"max_model_len": 4096}) as second:
        with pytest.raises(MedctxError, match=r"do not serve the same 'm' \(max_model_len differ"):
            examine.examine(settings([first.url, second.url], exam), tmp_path / "out")
        assert not first.questions and not second.questions


# One run at a time -----------------------------------------------------------------------------------------------


def test_a_second_run_into_a_folder_is_refused_and_asks_nothing(exam: Path, tmp_path: Path) -> None:
    going_on, proceed = threading.Event(), threading.Event()

    def react(question: Question) -> Reaction | None:
        going_on.set()
        proceed.wait(30)
        return None

    with serve(react) as server:
        first: list[Result] = []
        thread = threading.Thread(target=lambda: first.append(call(server, exam, tmp_path / "out", "concurrency=1")))
        thread.start()
        assert going_on.wait(30)
        before = len(server.questions)
        with pytest.raises(
            MedctxError, match=r"Another medctx-eval run is examining into .*wait until it ends"
        ) as error:
            examine.examine(settings([server.url], exam), tmp_path / "out")
        assert "\n" not in str(error.value) and error.value.exit_code == 2
        assert len(server.questions) == before
        proceed.set()
        thread.join(60)
    assert first[0].exit_code == 0, first[0].output
    assert len(server.questions) == ROWS, "nothing is asked twice"


# Verdicts are checked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["compare", "report"])
def test_a_flipped_bit_of_the_verdicts_is_one_sentence(command: str, exam: Path, tmp_path: Path) -> None:
    with serve() as server:
        (folder,) = examine.examine(settings([server.url], exam), tmp_path / "out")
    file = folder / run_folder.VERDICTS
    whole = file.read_bytes()
    other = shutil.copytree(folder, tmp_path / "out" / "other")
    more = ["--out", str(tmp_path / "report")] if command == "report" else [str(other)]
    place = whole.index(b'"verdict":"') + 12
    for bit in (0, 5):
        content = bytearray(whole)
        content[place] ^= 1 << bit
        file.write_bytes(content)
        result = CliRunner().invoke(main, [command, str(folder), *more])
        assert result.exit_code == 2 and "was changed after exam.json was written" in result.stderr, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)


# Speed and time limits -------------------------------------------------------------------------------------------


def test_a_dripping_answer_ends_at_its_time_limit(exam: Path, tmp_path: Path) -> None:
    def react(question: Question) -> Reaction | None:
        return Reaction(WHOLE, drip_s=0.2) if "Question 4?" in question.message else None

    with serve(react) as server:
        begun = time.monotonic()
        with pytest.raises(
            UnfinishedError, match=f"1 of {ROWS} answers of m failed .1: answer not complete after 0.5 s"
        ):
            judged(settings([server.url], exam, timeout_s=0.5), tmp_path / "out")
        assert time.monotonic() - begun < 0.5 * client.ATTEMPTS + 6


@pytest.mark.parametrize("conditions", [("closed",), ("gold",)])
def test_requests_of_different_books_fill_the_concurrency(conditions: tuple[str, ...], tmp_path: Path) -> None:
    exam = write_exam(tmp_path / "items.jsonl", 32)
    files = ExamConfig(exam="file", items=exam, conditions=conditions)
    with serve() as server:
        server.delay_s = 0.25
        begun = time.monotonic()
        records = judged(settings([server.url], exam, exams=(files,), concurrency=8), tmp_path / "out")
        seconds = time.monotonic() - begun
        assert len(records) == 32 and server.most_at_once == 8
        assert seconds < 32 * 0.25 / 2, "one after the other they take 8 s"


def test_an_exam_keeps_no_answers_in_memory_while_it_asks(tmp_path: Path) -> None:
    """Answers are read from the journal when all are there, so the memory of a long exam stays flat."""
    exam = write_exam(tmp_path / "items.jsonl", 200)
    alive: list[int] = []

    def react(question: Question) -> None:
        if question.number == 180:
            alive.append(sum(isinstance(thing, Reply) for thing in gc.get_objects()))

    gc.unfreeze()
    try:
        with serve(react) as server:
            assert len(judged(settings([server.url], exam), tmp_path / "out")) == 200
    finally:
        gc.freeze()
    assert alive and alive[0] < 20
