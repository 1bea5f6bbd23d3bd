"""The built-in models behind an OpenAI-compatible server on the loopback interface, with bytes as tokens."""

from __future__ import annotations

import json
import math
import multiprocessing
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Annotated, cast

from pydantic import ConfigDict, Field

from medctx.schemas.records import Record
from medctx_eval.demo.rule_models import Reader
from medctx_eval.prompting.tokenizers import ByteTokenizer

POSITIONS = 200_000
SURE, UNSURE = math.log(0.97), math.log(0.0001)
_OPEN, _CLOSE, _ANSWER = "<user>", "</user>", "<assistant>"


class _Structured(Record):
    choice: tuple[str, ...] = ()


class _Request(Record):
    """What is read of a request; the rest of the protocol makes no difference to these models."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str = ""
    # In this order and no other: else every prompt is read twice to see which fits better.
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
    """A rendered prompt as its message and what is written of the answer."""
    message, _, written = rendered.partition(_CLOSE)
    return message.removeprefix(_OPEN), written.partition(_ANSWER)[2]


class DemoServer(ThreadingHTTPServer):
    """Serves every mind of a Reader under its name."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, reader: Reader) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reader = reader

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def written(self, model: str, content: str, choices: Sequence[str]) -> str:
        """A model's answer, held to choices where there are any: it then takes its own if offered, else the first."""
        said = self.reader.answer(model, content)
        return said if not choices or said in choices else choices[0]

    def next_token(self, model: str, prompt: Sequence[int], tokens: Sequence[int]) -> dict[str, float]:
        """Log-probabilities of tokens after a prompt: the model is sure of the next byte of its answer."""
        content, begun = _content(bytes(prompt).decode(errors="ignore"))
        said = self.reader.answer(model, content).encode()
        at = len(begun.encode())
        wanted = said[at] if said.startswith(begun.encode()) and at < len(said) else None
        return {f"token_id:{token}": SURE if token == wanted else UNSURE for token in tokens}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer in one packet: apart, the second waits for the first one's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: DemoServer

    def _send(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        """``/v1/models``."""
        if self.path != "/v1/models":
            self._send(404, {"error": "there is nothing here"})
            return
        names = self.server.reader.rule_models
        self._send(200, {"data": [{"id": name, "root": "demo", "max_model_len": POSITIONS} for name in names]})

    def do_POST(self) -> None:
        """Completions, chat and tokenisation."""
        request = _Request.model_validate_json(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            rendered = ByteTokenizer().apply_chat_template(
                list(request.messages), add_generation_prompt=request.add_generation_prompt
            )
            self._send(200, {"tokens": ByteTokenizer().encode(str(rendered), add_special_tokens=False)})
        elif self.path == "/v1/completions":
            self._send(200, {"choices": [self._completion(request, n, p) for n, p in enumerate(request.prompts)]})
        elif self.path == "/v1/chat/completions":
            text = self.server.written(
                request.model, request.messages[-1]["content"], request.structured_outputs.choice
            )
            choice = {"index": 0, "message": {"content": text[: request.max_tokens]}, "finish_reason": "stop"}
            self._send(200, {"choices": [choice]})
        else:
            self._send(404, {"error": "there is nothing here"})

    def _completion(self, request: _Request, number: int, prompt: tuple[int, ...]) -> dict[str, object]:
        if request.logprob_token_ids:
            found = self.server.next_token(request.model, prompt, request.logprob_token_ids)
            return {"index": number, "text": "", "logprobs": {"top_logprobs": [found]}}
        content, _ = _content(bytes(prompt).decode(errors="ignore"))
        text = self.server.written(request.model, content, request.structured_outputs.choice)
        cut = len(text.encode()) > request.max_tokens
        return {
            "index": number,
            "text": text.encode()[: request.max_tokens].decode(errors="ignore"),
            "finish_reason": "length" if cut else "stop",
        }

    def log_message(self, format: str, *args: object) -> None:
        """Quietly."""


@contextmanager
def serve(reader: Reader) -> Iterator[DemoServer]:
    """A running server."""
    with DemoServer(reader) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _serve_until_killed(reader: Reader, address: Connection) -> None:
    with DemoServer(reader) as server:
        address.send(server.url)
        server.serve_forever()


@contextmanager
def serve_apart(reader: Reader) -> Iterator[str]:
    """A running server's address; in a process of its own where one can be forked, so that it takes another core."""
    if sys.platform != "linux":
        with serve(reader) as server:
            yield server.url
        return
    context = multiprocessing.get_context("fork")
    there, here = context.Pipe()
    process = context.Process(target=_serve_until_killed, args=(reader, there), daemon=True)
    process.start()
    try:
        yield str(here.recv())
    finally:
        process.kill()
        process.join()
