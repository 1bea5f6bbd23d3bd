"""Servers that are no vLLM: they chat, list a few likely tokens, hold answers by a schema, and want a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Judged, Mode, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.demo.rule_models import RuleReader, reader
from medctx_eval.demo.server import JsonHandler, serving
from medctx_eval.engines.failures import BusyError, retry_after
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.run import examine as examination
from medctx_eval.run.config import ModelConfig, RunConfig

ITEMS = 8
KEY = "a-secret-key"


class Chat(ThreadingHTTPServer):
    """Knows one model; ``lists`` log-probabilities, ``holds`` answers to a JSON schema, or neither."""

    def __init__(self, mind: RuleReader, *, lists: bool, holds: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mind, self.lists, self.holds = mind, lists, holds
        self.keys: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/"

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "structured_outputs" in body or ("response_format" in body and not self.holds):
            return 400, {"error": "unknown field"}
        if body.get("logprobs") and not self.lists:
            return 400, {"error": "logprobs are not supported"}
        said = self.mind.answer("oracle", body["messages"][-1]["content"])
        if "response_format" in body:
            choices = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
            said = json.dumps({"answer": said if said in choices else choices[0]})
        choice: dict[str, Any] = {"index": 0, "message": {"content": said}, "finish_reason": "stop"}
        if body.get("logprobs"):
            top = [{"token": f" {said[:1]}", "logprob": -0.1}, {"token": "The", "logprob": -3.0}]
            choice["logprobs"] = {"content": [{"top_logprobs": top}]}
        return 200, {"choices": [choice]}


class _Handler(JsonHandler):
    server: Chat

    def do_GET(self) -> None:
        self.server.keys.add(self.headers.get("Authorization"))
        self.send_json(200, {"data": [{"id": "gpt", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.body())
        self.server.keys.add(self.headers.get("Authorization"))
        if self.path == "/v1/chat/completions":
            self.send_json(*self.server.answer(body))
        else:
            self.send_json(404, {"error": "no such route"})


@contextmanager
def chat(*, lists: bool = False, holds: bool = False) -> Iterator[Chat]:
    exam = registry.build_exam(ExamConfig(exam="needle", limit=ITEMS), CurriculumConfig(), 0)
    with Chat(reader(exam), lists=lists, holds=holds) as server, serving(server):
        yield server


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def config(server: Chat, mode: Mode, **changes: object) -> RunConfig:
    values: dict[str, object] = {
        "models": (ModelConfig(name="gpt"),),
        "exams": (ExamConfig(exam="needle", limit=ITEMS, conditions=("closed", "gold", "distractor")),),
        "engine": "endpoint",
        "urls": (server.url,),
        "tokenizer": "bytes",
        "positions": 20_000,
        "mode": mode,
        "modes": (),
    }
    return RunConfig.model_validate({**values, **changes})


def examined(server: Chat, mode: Mode, out: Path) -> tuple[list[Judged], dict[str, str]]:
    (folder,) = examination.examine(config(server, mode), out)
    result = run_folder.read_run(folder)
    return list(result.judged), result.manifest.means


@pytest.mark.parametrize("mode", ["generate", "letter", "choice"])
def test_a_chat_server_is_examined_in_every_mode_it_can_do(mode: Mode, tmp_path: Path) -> None:
    with chat(lists=True, holds=True) as server:
        judged, result = examined(server, mode, tmp_path)
    assert result == {
        "letter": "letters among the 2 likeliest",
        "choice": "json_schema",
        "generate": "greedy",
        "logits": "unknown",
        "prompt": "messages",
        "temperature": "0",
        "limit": "max_tokens",
    }
    assert len(judged) == 3 * ITEMS
    assert {verdict.verdict for verdict in judged} == {Verdict.CORRECT}


def test_modes_it_cannot_do_are_refused_with_those_it_can(tmp_path: Path) -> None:
    with chat() as server:
        for mode in ("text", "letter", "choice"):
            with pytest.raises(MedctxError, match=r"cannot be asked in the mode .* there; possible: generate\."):
                examination.examine(config(server, mode), tmp_path / mode)


def test_a_server_that_does_not_say_its_length_decides_itself_what_fits(tmp_path: Path) -> None:
    with chat() as server:
        (folder,) = examination.examine(config(server, "generate", positions=None), tmp_path)
    assert Verdict.DOES_NOT_FIT not in {record.verdict for record in run_folder.read_run(folder).judged}


def test_the_key_is_sent_and_written_nowhere(tmp_path: Path) -> None:
    with chat() as server:
        examined(server, "generate", tmp_path)
        assert server.keys == {f"Bearer {KEY}"}
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_what_is_longer_than_the_server_takes_is_never_sent(tmp_path: Path) -> None:
    with chat() as server:
        (folder,) = examination.examine(config(server, "generate", positions=600), tmp_path)
    judged = run_folder.read_run(folder).judged
    assert {verdict.verdict for verdict in judged if verdict.condition == "closed"} == {Verdict.CORRECT}
    assert {verdict.verdict for verdict in judged if verdict.condition == "gold"} == {Verdict.DOES_NOT_FIT}


def test_what_did_not_fit_is_asked_once_more_positions_are_given(tmp_path: Path) -> None:
    with chat() as server:
        (first,) = examination.examine(config(server, "generate", positions=600), tmp_path)
        (folder,) = examination.examine(config(server, "generate"), tmp_path)
    assert folder == first
    assert {verdict.verdict for verdict in run_folder.read_run(folder).judged} == {Verdict.CORRECT}


def test_a_server_is_left_alone_for_as_long_as_it_asks() -> None:
    waits = [retry_after(httpx.Headers({"Retry-After": value})) for value in ("7", "1.5", "soon", "-3")]
    assert waits == [7.0, 1.5, 0.0, 0.0]
    assert retry_after(httpx.Headers()) == 0.0
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < retry_after(httpx.Headers({"Retry-After": soon})) <= 30
    assert BusyError("busy", 7.0).wait_s == 7.0
