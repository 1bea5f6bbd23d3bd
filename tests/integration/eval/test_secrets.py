"""A key that a server echoes stands in no file, journal, log, store or output."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from pathlib import Path

import pytest
from click.testing import CliRunner

from medctx.io.journal import read_journal
from medctx.schemas.records import Reply
from medctx_eval.cli.main import main
from medctx_eval.engines import client
from tests.support.exam_files import write_exam
from tests.support.scripted_server import Question, Reaction, arguments, completion, says, serve

pytest.importorskip("mlflow")

KEY = "Zq7/planted+Secret.0193"
LOGIN = ("ward-user-17", "ward-Password-0193")
PARAMETER = "parameter-Secret-0193"
IN_BASE64 = b64encode(":".join(LOGIN).encode()).decode()
SECRETS = (KEY, LOGIN[1], PARAMETER, IN_BASE64)


def _texts(root: Path) -> str:
    """Everything in every file under a folder, also spelt as JSON and URLs spell it."""
    raw = "\n".join(file.read_bytes().decode(errors="replace") for file in sorted(root.rglob("*")) if file.is_file())
    return raw + raw.replace("\\/", "/").replace("\\u002b", "+").replace("%2F", "/").replace("%2B", "+")


def _echo_in_many_ways(question: Question) -> Reaction | None:
    """Echo the request in answers, spelt in several ways, and in refusals."""
    echo = question.echo
    if question.number == 1:
        return says({"error": {"message": f"key {KEY} unknown: {echo}"}}, 503)
    if question.number == 2:
        return says({"error": f"html <b>{echo}</b>"})
    if question.number == 3:
        return Reaction(f"<html>{echo}</html>".encode(), 502, headers={"X-Your-Key": KEY, "Retry-After": KEY})
    if question.number % 3 == 0:
        slashes = json.dumps(completion(f"The answer is B. {echo}", model="m")).replace("/", "\\/")
        return Reaction(slashes.encode().replace(b"+", b"\\u002b"))
    if question.number == 7:
        return says({"error": f"not this question: {echo}"}, 400)
    spelt = f"{echo} {KEY.replace('/', '%2F').replace('+', '%2B')}"
    return says(completion(f"The answer is B. {spelt}"))


@pytest.mark.parametrize("ending", ["examined", "unfinished"])
def test_an_echoing_server_brings_no_secret_into_what_is_written_or_printed(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("WARD_VARIABLE", KEY)
    monkeypatch.setenv("MEDCTX_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/out/store.db")
    monkeypatch.setattr(client, "wait_exponential_jitter", lambda **_: lambda _state: 0.0)
    (tmp_path / "out").mkdir()
    exam = write_exam(tmp_path / "items.jsonl", 12)
    with serve(_echo_in_many_ways) as server:
        server.echo_in_list = True
        if ending == "unfinished":
            server.react = lambda question: says({"error": f"no: {question.echo}"}, 500)
        address = server.url.replace("//", f"//{LOGIN[0]}:{LOGIN[1]}@") + f"/v1?api-key={PARAMETER}&api-version=2"
        command = arguments([address], exam, tmp_path / "out", "api_key_variable=WARD_VARIABLE")
        first = CliRunner().invoke(main, [*command, "--json"])
        second = CliRunner().invoke(main, command)
    assert first.exit_code == 1, first.output
    assert second.exit_code == (0 if ending == "examined" else 1), second.output
    (journal,) = (tmp_path / "out").glob("*/replies.jsonl")
    assert any("***" in reply.text + reply.detail for reply in read_journal(journal, Reply)), "nothing was echoed"
    printed = first.output + second.output + caplog.text
    for secret in SECRETS:
        assert secret not in printed
        assert secret not in _texts(tmp_path / "out"), f"{secret} was stored"


@pytest.mark.parametrize("key", ["x", "EMPTY", "token", "B"])
def test_a_short_stand_in_for_a_key_is_a_word_like_others(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    exam = write_exam(tmp_path / "items.jsonl", 4)
    said = "The token x is EMPTY. The answer is B."
    with serve(lambda question: says(completion(said))) as server:
        result = CliRunner().invoke(main, arguments([server.url], exam, tmp_path / "out"))
    assert result.exit_code == 0, result.output
    (journal,) = (tmp_path / "out").glob("*/replies.jsonl")
    assert {reply.text for reply in read_journal(journal, Reply)} == {said}
