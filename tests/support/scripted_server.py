"""A chat server that answers as a test says: wrong status, broken bytes, slow, echoing, or as another model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from medctx_eval.demo.server import JsonHandler, serving
from medctx_eval.exams.config import ExamConfig
from medctx_eval.run import chat_canary
from medctx_eval.run.config import ModelConfig, RunConfig

Json = dict[str, Any]
PROBES = frozenset({"Hello", "What is two and two?", *chat_canary.MESSAGES})
"""Messages of the probe, the ping and the canary: everything else is a question of an exam."""


@dataclass(frozen=True)
class Question:
    """One request of an exam: ``number`` counts them from 1; ``echo`` is what the server was sent, as text."""

    number: int
    message: str
    echo: str


@dataclass(frozen=True)
class Reaction:
    """What the server does: ``content`` None cuts the connection, ``drip_s`` waits before every byte."""

    content: bytes | None
    status: int = 200
    drip_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


React = Callable[[Question], Reaction | None]
"""The reaction to a question; None for an ordinary answer."""


def completion(text: str = "The answer is B.", tokens: int | None = None, model: str = "m", **choice: object) -> Json:
    """An ordinary answer; ``choice`` adds to or replaces fields of its only choice."""
    first = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens, "completion_tokens": 5}}
    return {"id": "x", "object": "chat.completion", "model": model, "choices": [first | choice], **usage}


def says(body: object, status: int = 200) -> Reaction:
    return Reaction(json.dumps(body).encode(), status)


class ScriptedServer(ThreadingHTTPServer):
    """Serves the model ``m``.

    Attributes:
        react: What it does with a question.
        entry: What it says of the model beside its name.
        react_to_probes: What it does with probes and pings; None: it answers them.
        check_body: What it does with a request of this body, whatever it asks; None: it goes on.
        base: The path below which its routes are.
        echo_in_list: Whether its list of models repeats the request.
        delay_s: How long every answer takes.
        loads_for: How many requests for its list it refuses because it is loading its model.
        pages: What it answers to GET of other paths than its list of models; None there cuts the connection.
        posts: What it answers to POST of other paths than its chat route.
        keys: The headers that keys came in, with the keys.
        probes: The bodies of probes and pings, in the order they came.
        questions: The messages of the exam, in the order they came.
        most_at_once: Most questions it had at the same time.
    """

    daemon_threads = True

    def __init__(self, react: React, entry: Mapping[str, object], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.react, self.entry = react, dict(entry)
        self.react_to_probes: Reaction | None = None
        self.check_body: Callable[[Json], Reaction | None] = lambda body: None
        self.base = "/v1"
        self.questions: list[str] = []
        self.echo_in_list = False
        self.delay_s = 0.0
        self.loads_for = 0
        self.pages: dict[str, Reaction] = {}
        self.posts: dict[str, Reaction] = {}
        self.probes: list[Json] = []
        self.keys: set[tuple[str, str]] = set()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is nothing to report."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(JsonHandler):
    server: ScriptedServer

    def _send(self, reaction: Reaction) -> None:
        if reaction.content is None:
            self.close_connection = True
            return
        if not reaction.drip_s:
            self.send_body(reaction.status, reaction.content, reaction.headers)
            return
        self.close_connection = True
        self.send_body(reaction.status, b"", {**reaction.headers, "Content-Length": str(len(reaction.content))})
        for byte in reaction.content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(reaction.drip_s)

    @property
    def _echo(self) -> str:
        return "\n".join([f"{self.command} {self.path}", *(f"{name}: {value}" for name, value in self.headers.items())])

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == f"{self.server.base}/models" and self.server.loads_for:
            self.server.loads_for -= 1
            self._send(says({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503))
            return
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is not None:
            self._send(page)
            return
        if self.path.partition("?")[0] != f"{self.server.base}/models":
            self._send(says({"error": "no such route"}, 404))
            return
        words = {"description": self._echo, "nested": {"said": [self._echo]}} if self.server.echo_in_list else {}
        self._send(says({"object": "list", "data": [{"id": "m", "object": "model", **self.server.entry, **words}]}))

    def do_POST(self) -> None:
        body = json.loads(self.body())
        keys = {(name, self.headers[name]) for name in ("Authorization", "api-key") if self.headers[name]}
        self.server.keys |= keys
        if self.path in self.server.posts:
            self._send(self.server.posts[self.path])
            return
        if self.path.partition("?")[0] != f"{self.server.base}/chat/completions":
            self._send(says({"error": "no such route"}, 404))
            return
        refusal = self.server.check_body(body)
        if refusal is not None:
            self._send(refusal)
            return
        message = body["messages"][-1]["content"]
        if message in PROBES:
            self.server.probes.append(body)
            self._send(self.server.react_to_probes or says(completion()))
            return
        server = self.server
        with server.lock:
            server.questions.append(message)
            number = len(server.questions)
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            time.sleep(server.delay_s)
            reaction = server.react(Question(number, message, self._echo)) or says(completion())
        finally:
            with server.lock:
                server.at_once -= 1
        try:
            self._send(reaction)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


@contextmanager
def serve(
    react: React = lambda question: None, entry: Mapping[str, object] | None = None, port: int = 0
) -> Iterator[ScriptedServer]:
    with ScriptedServer(react, entry or {}, port) as server, serving(server):
        yield server


def settings(urls: Sequence[str], items: Path, **changes: object) -> RunConfig:
    """The config of an exam of written answers on a file."""
    values: dict[str, object] = {
        "models": (ModelConfig(name="m"),),
        "exams": (ExamConfig(exam="file", items=items, conditions=("closed",)),),
        "engine": "endpoint",
        "urls": tuple(urls),
        "tokenizer": "bytes",
        "positions": 8192,
        "mode": "generate",
        "modes": (),
        "concurrency": 2,
    }
    return RunConfig.model_validate(values | changes)


def arguments(urls: Sequence[str], items: Path, out: Path, *more: str) -> list[str]:
    """The same as arguments of ``medctx-eval``."""
    quoted = ", ".join(f"'{url}'" for url in urls)
    pairs = [
        f"urls=[{quoted}]",
        "engine=endpoint",
        "models=[{name: m}]",
        f"exams=[{{exam: file, items: '{items}', conditions: [closed]}}]",
        "tokenizer=bytes",
        "positions=8192",
        "mode=generate",
        "modes=[]",
        "concurrency=2",
        *more,
    ]
    return ["run", *(part for pair in pairs for part in ("--set", pair)), "--out", str(out)]
