"""A loopback stand-in of a vLLM server: same routes, log-probabilities from a rule, troubles on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

from medctx_eval.demo.server import JsonHandler, serving

Rule = Callable[[list[int], int], float]


class Loopback(ThreadingHTTPServer):
    """``rule(prompt, token)`` gives a score, a log-probability up to a constant; ``troubles`` are what befalls the next
    requests, one each: a status, or 0 for a connection that is cut. ``mark``: tokens that only the exam's prompts hold.
    """

    def __init__(self, rule: Rule, max_model_len: int = 4096) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rule, self.max_model_len = rule, max_model_len
        self.troubles: list[int] = []
        self.complaint = "trouble"
        self.mark: list[int] = []
        self.requests: list[dict[str, object]] = []
        self.lock = threading.Lock()
        self.shift = -4.0

    def logprob(self, prompt: list[int], token: int) -> float:
        """The score with a shift that makes probabilities of a few of them; impossible values stay as they are."""
        score = self.rule(prompt, token)
        return score + self.shift if -100 < score <= 0 else score

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def prompts(self) -> int:
        """Prompts that were asked for chosen tokens."""
        return sum(len(request["prompt"]) for request in self.requests if "logprob_token_ids" in request)  # type: ignore[arg-type]


class _Handler(JsonHandler):
    server: Loopback

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.send_json(200, {"data": [{"id": "m", "max_model_len": self.server.max_model_len}]})
        else:
            self.send_json(404, {})

    def _asked(self, body: dict[str, Any]) -> bool:
        """Whether a request is the exam's own, not a probe or the canary."""
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        mark = self.server.mark
        return any(prompts[0][n : n + len(mark)] == mark for n in range(len(prompts[0])))

    def do_POST(self) -> None:
        body = json.loads(self.body())
        if self.path != "/v1/completions":
            self.send_json(404, {})
            return
        trouble: int | None = None
        with self.server.lock:
            if self._asked(body):
                trouble = self.server.troubles.pop(0) if self.server.troubles else None
                if trouble is None:
                    self.server.requests.append(body)
        if trouble == 0:
            self.close_connection = True
            return
        if trouble is not None:
            self.send_json(trouble, {"error": self.server.complaint})
            return
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        tokens = body.get("logprob_token_ids", [])
        choices = [
            {
                "index": n,
                "logprobs": {"top_logprobs": [{f"token_id:{t}": self.server.logprob(prompt, t) for t in tokens}]},
            }
            for n, prompt in enumerate(prompts)
        ]
        self.send_json(200, {"choices": choices})


@contextmanager
def serve(rule: Rule, max_model_len: int = 4096) -> Iterator[Loopback]:
    with Loopback(rule, max_model_len) as server, serving(server):
        yield server
