"""The demo: built-in models behind an OpenAI-compatible server on the loopback interface, with bytes as tokens."""

from __future__ import annotations

import json
import math
import multiprocessing
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Annotated, cast

from pydantic import ConfigDict, Field

from medctx.config.loading import Config
from medctx.schemas.records import Record
from medctx_eval.demo.rule_models import RuleReader, reader
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.prompting.tokenizers import ByteTokenizer
from medctx_eval.run.config import ModelConfig, RunConfig

POSITIONS = 200_000
SURE, UNSURE = math.log(0.97), math.log(0.0001)
_OPEN, _CLOSE, _ANSWER = "<user>", "</user>", "<assistant>"


class _Structured(Record):
    choice: tuple[str, ...] = ()


class _Request(Record):
    """The fields of a request that matter to these models."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str = ""
    # left_to_right: otherwise every prompt is parsed twice to see which type fits better.
    prompt: Annotated[tuple[int, ...] | tuple[tuple[int, ...], ...], Field(union_mode="left_to_right")] = ()
    messages: tuple[dict[str, str], ...] = ()
    logprob_token_ids: tuple[int, ...] = ()
    structured_outputs: _Structured = _Structured()
    add_generation_prompt: bool = False
    max_tokens: int = Field(16, ge=1)

    @property
    def prompts(self) -> list[tuple[int, ...]]:
        """Token-id prompts, one or several."""
        several = bool(self.prompt) and not isinstance(self.prompt[0], int)
        return list(cast("Sequence[tuple[int, ...]]", self.prompt if several else (self.prompt,)))


def _content(rendered: str) -> tuple[str, str]:
    """Split a rendered prompt into its message and the beginning of the answer."""
    message, _, written = rendered.partition(_CLOSE)
    return message.removeprefix(_OPEN), written.partition(_ANSWER)[2]


class JsonHandler(BaseHTTPRequestHandler):
    """Reads and sends JSON over a connection that is kept open; requests are not logged."""

    protocol_version = "HTTP/1.1"
    # Send head and body in one packet: otherwise the body waits for the acknowledgement of the head.
    wbufsize = -1
    disable_nagle_algorithm = True

    def body(self) -> bytes:
        """Read the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send_body(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def send_json(self, status: int, body: object) -> None:
        """Send an answer as JSON."""
        self.send_body(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Run a server in a thread for the length of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class DemoServer(ThreadingHTTPServer):
    """Serves every model of a Reader under its name."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, reader: RuleReader) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reader = reader

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, model: str, content: str, choices: Sequence[str]) -> str:
        """A model's answer; with choices, the first one unless its own answer is among them."""
        answer = self.reader.answer(model, content)
        return answer if not choices or answer in choices else choices[0]

    def next_token(self, model: str, prompt: Sequence[int], tokens: Sequence[int]) -> dict[str, float]:
        """Log-probabilities of tokens after a prompt: the model is sure of the next byte of its answer."""
        content, begun = _content(bytes(prompt).decode(errors="ignore"))
        answer = self.reader.answer(model, content).encode()
        at = len(begun.encode())
        following = answer[at] if answer.startswith(begun.encode()) and at < len(answer) else None
        return {f"token_id:{token}": SURE if token == following else UNSURE for token in tokens}


class _Handler(JsonHandler):
    server: DemoServer

    def do_GET(self) -> None:
        """``/v1/models``."""
        if self.path != "/v1/models":
            self.send_json(404, {"error": "no such route"})
            return
        names = self.server.reader.rule_models
        self.send_json(200, {"data": [{"id": name, "root": "demo", "max_model_len": POSITIONS} for name in names]})

    def do_POST(self) -> None:
        """Completions, chat and tokenisation."""
        request = _Request.model_validate_json(self.body())
        if self.path == "/tokenize":
            rendered = ByteTokenizer().apply_chat_template(
                list(request.messages), add_generation_prompt=request.add_generation_prompt
            )
            self.send_json(200, {"tokens": ByteTokenizer().encode(str(rendered), add_special_tokens=False)})
        elif self.path == "/v1/completions":
            self.send_json(200, {"choices": [self._completion(request, n, p) for n, p in enumerate(request.prompts)]})
        elif self.path == "/v1/chat/completions":
            text = self.server.answer(request.model, request.messages[-1]["content"], request.structured_outputs.choice)
            choice = {"index": 0, "message": {"content": text[: request.max_tokens]}, "finish_reason": "stop"}
            self.send_json(200, {"choices": [choice]})
        else:
            self.send_json(404, {"error": "no such route"})

    def _completion(self, request: _Request, number: int, prompt: tuple[int, ...]) -> dict[str, object]:
        if request.logprob_token_ids:
            logprobs = self.server.next_token(request.model, prompt, request.logprob_token_ids)
            return {"index": number, "text": "", "logprobs": {"top_logprobs": [logprobs]}}
        content, _ = _content(bytes(prompt).decode(errors="ignore"))
        text = self.server.answer(request.model, content, request.structured_outputs.choice)
        cut = len(text.encode()) > request.max_tokens
        return {
            "index": number,
            "text": text.encode()[: request.max_tokens].decode(errors="ignore"),
            "finish_reason": "length" if cut else "stop",
        }


@contextmanager
def serve(reader: RuleReader) -> Iterator[DemoServer]:
    """Run a server in a thread."""
    with DemoServer(reader) as server, serving(server):
        yield server


def _serve_until_killed(reader: RuleReader, address: Connection) -> None:
    with DemoServer(reader) as server:
        address.send(server.url)
        server.serve_forever()


@contextmanager
def serve_in_process(reader: RuleReader) -> Iterator[str]:
    """Run a server, in a process of its own on Linux so that it uses another core; yields its address."""
    if sys.platform != "linux":
        with serve(reader) as server:
            yield server.url
        return
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    process = context.Process(target=_serve_until_killed, args=(reader, sender), daemon=True)
    process.start()
    try:
        yield str(receiver.recv())
    finally:
        process.kill()
        process.join()


BASE = "oracle"
CONDITIONS = ("closed", "gold", "open:1536", "open:4096", "distractor", "counterfactual")


class DemoConfig(Config):
    """The exam of the built-in models."""

    items: int = Field(40, description="Questions of the exam needle.")
    conditions: tuple[str, ...] = Field(CONDITIONS, description="Conditions to ask them under; lengths in bytes.")
    orders: int = Field(2, description="In how many orders of its options each question is asked.")
    draws: int = Field(10_000, description="Bootstrap draws of the report.")
    seed: int = Field(0, description="Seed of the generated exam.")


@contextmanager
def serve_models(config: DemoConfig) -> Iterator[RunConfig]:
    """Serve the built-in models; yields the config of their exam."""
    exam_config = ExamConfig(exam="needle", conditions=config.conditions, limit=config.items)
    exam = registry.build_exam(exam_config, RunConfig().curriculum, config.seed)
    models = reader(exam)
    with serve_in_process(models) as url:
        yield RunConfig(
            models=tuple(ModelConfig(name=name) for name in models.rule_models),
            exams=(exam_config,),
            engine="endpoint",
            urls=(url,),
            tokenizer="bytes",
            mode="generate",
            modes=("letter", "text", "choice"),
            orders=config.orders,
            seed=config.seed,
        )
