"""A chat server without log-probabilities is known by its answers, and one that samples is not refused for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from medctx.errors import MedctxError, UnfinishedError
from medctx_eval.engines import client
from medctx_eval.run import chat_canary, examine
from tests.support.exam_files import write_exam
from tests.support.scripted_server import Json, Question, Reaction, ScriptedServer, completion, says, serve, settings

ROWS = 4
Voice = Callable[[str], str]
"""What a model answers to a message of the canary."""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setattr(client, "wait_exponential_jitter", lambda **_: lambda _state: 0.02)


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    return write_exam(tmp_path / "items.jsonl", ROWS)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serve() as scripted:
        yield scripted


def speaks(server: ScriptedServer, voice: Voice) -> None:
    def check(body: Json) -> Reaction | None:
        message = body["messages"][-1]["content"]
        return says(completion(voice(message))) if message in chat_canary.MESSAGES else None

    server.check_body = check


def first(message: str) -> str:
    return f"The first model says of {message!r}: much."


def second(message: str) -> str:
    return f"The second one says of {message!r}: little."


def sampled() -> Voice:
    numbers = count()
    return lambda message: f"{message} {next(numbers)}"


def changed(messages: int) -> Voice:
    return lambda message: (second if chat_canary.MESSAGES.index(message) < messages else first)(message)


def test_another_model_behind_the_same_words_is_noticed(server: ScriptedServer, exam: Path, tmp_path: Path) -> None:
    config = settings([server.url], exam)
    speaks(server, first)
    (folder,) = examine.examine(config, tmp_path / "out")
    assert examine.examine(config, tmp_path / "out") == [folder]
    speaks(server, second)
    with pytest.raises(MedctxError, match="is not the model whose answers are in"):
        examine.examine(config, tmp_path / "out")
    assert len(server.questions) == ROWS


def test_an_unfinished_run_is_not_continued_by_another_model(
    server: ScriptedServer, exam: Path, tmp_path: Path
) -> None:
    def react(question: Question) -> Reaction | None:
        return says({"error": "busy"}, 503) if "Question 2?" in question.message else None

    config = settings([server.url], exam)
    speaks(server, first)
    server.react = react
    with pytest.raises(UnfinishedError):
        examine.examine(config, tmp_path / "out")
    server.react = lambda question: None
    speaks(server, second)
    before = len(server.questions)
    with pytest.raises(MedctxError, match="give another --out"):
        examine.examine(config, tmp_path / "out")
    assert len(server.questions) == before
    speaks(server, first)
    examine.examine(config, tmp_path / "out")
    assert len(server.questions) == before + 1


@pytest.mark.parametrize("voice", [sampled(), changed(1), changed(2)], ids=["sampled", "1 changed", "2 changed"])
def test_a_server_that_is_not_exact_is_continued(
    voice: Voice, server: ScriptedServer, exam: Path, tmp_path: Path
) -> None:
    """Also one that was exact when it was asked first: it contradicts itself now."""
    speaks(server, first)
    examine.examine(settings([server.url], exam), tmp_path / "out")
    speaks(server, voice)
    examine.examine(settings([server.url], exam), tmp_path / "out")


@pytest.mark.parametrize("voice", [sampled(), lambda message: ""], ids=["sampled", "nothing"])
def test_where_answers_tell_nothing_that_is_said_and_the_run_goes_on(
    voice: Voice, server: ScriptedServer, exam: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    speaks(server, voice)
    for _ in range(3):
        examine.examine(settings([server.url], exam), tmp_path / "out")
    said = " ".join(capfd.readouterr().err.split())
    assert said.count("recognises the model only by the server's address") == 1
    assert len(server.questions) == ROWS


def test_messages_that_are_refused_end_nothing(server: ScriptedServer, exam: Path, tmp_path: Path) -> None:
    def check(body: Json) -> Reaction | None:
        return says({"error": "policy"}, 400) if body["messages"][-1]["content"] in chat_canary.MESSAGES else None

    server.check_body = check
    examine.examine(settings([server.url], exam), tmp_path / "out")
    assert len(server.questions) == ROWS


def test_servers_of_two_models_under_one_name_are_not_asked_together(
    server: ScriptedServer, exam: Path, tmp_path: Path
) -> None:
    speaks(server, first)
    with serve() as other:
        speaks(other, second)
        with pytest.raises(MedctxError, match=r"do not serve the same 'm': .* answers the canary differently"):
            examine.examine(settings([server.url, other.url], exam), tmp_path / "out")
        assert not server.questions and not other.questions
        speaks(other, first)
        examine.examine(settings([server.url, other.url], exam), tmp_path / "out")
        speaks(other, second)
        with pytest.raises(MedctxError, match="is not the model whose answers are in"):
            examine.examine(settings([server.url, other.url], exam), tmp_path / "out")


def test_a_further_mode_is_asked_into_the_same_folder(server: ScriptedServer, exam: Path, tmp_path: Path) -> None:
    top = [{"token": letter, "logprob": -1.0 - n} for n, letter in enumerate("ABCDE")]
    server.check_body = lambda body: (
        says(completion("A", logprobs={"content": [{"top_logprobs": top}]})) if body.get("logprobs") else None
    )
    runs = [
        examine.examine(settings([server.url], exam, modes=modes), tmp_path / "out") for modes in ((), ("letter",), ())
    ]
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("change", ["fewer letters", "sampled"])
def test_a_run_is_not_continued_in_another_way(change: str, server: ScriptedServer, exam: Path, tmp_path: Path) -> None:
    """The same server lists fewer tokens, or takes no temperature any more: its answers are others."""

    def listing(tokens: int) -> Reaction:
        top = [{"token": letter, "logprob": -1.0 - n} for n, letter in enumerate("ABCDE"[:tokens])]
        return says(completion("A", logprobs={"content": [{"top_logprobs": top}]}))

    mode = "letter" if change == "fewer letters" else "generate"
    server.react_to_probes = listing(5)
    server.react = lambda question: listing(5)
    config = settings([server.url], exam, mode=mode)
    examine.examine(config, tmp_path / "out")
    if change == "fewer letters":
        server.react_to_probes = listing(3)
    else:
        server.check_body = lambda body: says({"error": "no temperature"}, 400) if "temperature" in body else None
    with pytest.raises(MedctxError, match="would be asked in another way than for the answers in"):
        examine.examine(config, tmp_path / "out")
