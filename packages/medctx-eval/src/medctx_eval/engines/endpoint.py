"""An exam over HTTP: one model behind one or several OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from medctx.schemas.exam_run import Usage
from medctx.schemas.records import Book, Form
from medctx.text.continuation import shared_prefix
from medctx_eval.engines import likelihood
from medctx_eval.engines.client import (
    ATTEMPTS,
    TIMEOUT_S,
    Answer,
    Body,
    BusyError,
    Client,
    RefusedError,
    TooLongError,
)
from medctx_eval.engines.meter import Meter
from medctx_eval.engines.probe import CHAT, COMPLETIONS, Abilities, constrain, probe, served_as
from medctx_eval.engines.protocol import (
    Generated,
    GenerationRequest,
    LikelihoodRequest,
    RequestFailure,
    TokenLogprobs,
)

RequestT = TypeVar("RequestT", LikelihoodRequest, GenerationRequest)
ResultT = TypeVar("ResultT")

REFUSALS = 20
"""This many refused requests in a row end the exam: the cause concerns all of them."""


@dataclass(slots=True)
class _Server:
    """One server: its connection, its threads, and the tokens it was sent."""

    client: Client
    pool: ThreadPoolExecutor
    load: int = field(default=0)


class EndpointEngine:
    """Asks one model behind one or several HTTP servers that all serve it.

    All requests about a Book go to one server. If it takes token ids, the Book's common prefix is sent once before its
    requests, so that they find it in the server's prefix cache instead of computing it in parallel.

    Args:
        urls: Addresses of the servers.
        model: The model's name there.
        api_key: Sent as a bearer token.
        concurrency: Requests in flight at each server.
        books_at_once: Books that each server works on.
        block_size: Block size of the servers' prefix cache, in tokens.
        probe_token: Any token of the model's vocabulary.
        timeout_s: Time limit of a request.
    """

    def __init__(
        self,
        urls: Sequence[str],
        model: str,
        *,
        api_key: str = "",
        concurrency: int = 8,
        books_at_once: int = 1,
        block_size: int = 16,
        probe_token: int = 0,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._model, self._block_size = model, block_size
        self._servers = [
            _Server(Client(url, api_key, timeout_s), ThreadPoolExecutor(concurrency, thread_name_prefix="ask"))
            for url in urls
        ]
        self._books_at_once = books_at_once
        self._pinned: dict[str, _Server] = {}
        self._lock = Lock()
        self._refused = 0
        first, *others = (server.client for server in self._servers)
        self.abilities: Abilities = probe(first, model, probe_token)
        self.root = served_as(first, model).root or ""
        for other in others:
            served_as(other, model)
        self._meter = Meter([server.client.http for server in self._servers])

    @property
    def client(self) -> Client:
        """The connection to the first server."""
        return self._servers[0].client

    def without_tokens(self) -> None:
        """Send messages instead of token ids from now on: the tokenizer at hand is not the model's."""
        self.abilities = self.abilities.model_copy(update={"tokens": False})

    @property
    def usage(self) -> Usage:
        """Usage so far, by the servers' own counters if they have them."""
        return self._meter.usage

    @property
    def forms(self) -> frozenset[Form]:
        """The forms that the first server was found to support."""
        return self.abilities.forms

    @property
    def float32_logits(self) -> bool | None:
        """Whether the first server's logits are float32, as far as its answers show."""
        return self.abilities.float32_logits

    @property
    def parallel_books(self) -> int:
        """Books asked at a time, over all servers."""
        return len(self._servers) * self._books_at_once

    @property
    def max_positions(self) -> int:
        """Longest sequence by the server's own statement; 0 if it makes none."""
        return self.abilities.positions

    def _server_for(self, book: Book, tokens: int) -> _Server:
        """A Book stays with the server that has it; a new Book goes to the server with the least load."""
        with self._lock:
            server = self._pinned.get(book.id) if book.tokens else None
            if server is None:
                server = min(self._servers, key=lambda candidate: candidate.load)
                if book.tokens:
                    self._pinned[book.id] = server
            server.load += tokens
            return server

    def _safely(self, ask: Callable[[], ResultT]) -> ResultT | RequestFailure:
        """Turn an error of one request into its RequestFailure; an error that concerns all requests is raised."""
        try:
            result = ask()
        except BusyError as error:
            return RequestFailure(f"{error} after {ATTEMPTS} attempts")
        except TooLongError as error:
            return RequestFailure(str(error), "does_not_fit")
        except RefusedError as error:
            with self._lock:
                self._refused += 1
            if self._refused >= REFUSALS:
                raise
            return RequestFailure(str(error))
        with self._lock:
            self._refused = 0
        return result

    def _send(self, server: _Server, body: Body, sent: int, book: int = 0) -> Answer:
        answer = server.client.complete(COMPLETIONS, body)
        self._meter.count(answer, sent, book)
        return answer

    def _together(
        self, requests: Sequence[RequestT], book: Book, ask: Callable[[_Server, RequestT, int], ResultT]
    ) -> Iterator[ResultT | RequestFailure]:
        """Send the prompts' common prefix first, then all requests at once, each with its number of Book tokens."""
        server = self._server_for(book, book.tokens + sum(len(request.prompt) - book.tokens for request in requests))
        whole = 0
        if self.abilities.tokens and len(requests) > 1:
            shared = shared_prefix([request.prompt for request in requests])
            whole = shared // self._block_size * self._block_size
            if whole:
                body: Body = {"model": self._model, "prompt": list(requests[0].prompt[:shared]), "max_tokens": 1}
                warmed = self._safely(lambda: self._send(server, body, shared, whole if book.tokens else 0))
                if isinstance(warmed, RequestFailure):
                    yield from (warmed for _ in requests)
                    return
        cached = whole if book.tokens else 0
        yield from server.pool.map(lambda request: self._safely(lambda: ask(server, request, cached)), requests)

    def _score(self, server: _Server, request: LikelihoodRequest, book: int) -> TokenLogprobs | RequestFailure:
        if not self.abilities.tokens:
            top = self.abilities.top_logprobs
            answer, logprobs = likelihood.from_top_tokens(server.client, self._model, request, top)
            self._meter.count(answer, len(request.prompt))
            return logprobs
        needed = likelihood.next_tokens(request)
        first, *later = needed
        # The prompt first: the continuations then find it in the cache instead of computing it in parallel.
        answer = self._send(server, likelihood.logprob_body(self._model, [first], needed), len(first), book)
        read = likelihood.by_prefix(answer, [first])
        if later:
            answer = self._send(server, likelihood.logprob_body(self._model, later, needed), sum(map(len, later)))
            read |= likelihood.by_prefix(answer, later)
        return likelihood.gather(request, read, server.client.url)

    def score(self, requests: Sequence[LikelihoodRequest], book: Book) -> Iterator[TokenLogprobs | RequestFailure]:
        """Yield the log-probabilities of each request in order."""
        return self._together(requests, book, self._score)

    def _generate(self, server: _Server, request: GenerationRequest, book: int) -> Generated | RequestFailure:
        constraint = constrain(self.abilities.choice_by, request.choices) if request.choices else {}
        common: Body = {"model": self._model, "max_tokens": request.max_tokens, "temperature": 0.0, **constraint}
        if self.abilities.tokens and (not constraint or self.abilities.choice_by == "structured_outputs"):
            answer = self._send(server, {**common, "prompt": list(request.prompt)}, len(request.prompt), book)
            opening = request.opening
        else:
            messages = [{"role": "user", "content": request.message}]
            answer = server.client.complete(CHAT, {**common, "messages": messages})
            self._meter.count(answer, len(request.prompt))
            opening = ""  # the server renders the prompt, and may keep thoughts out of the answer
        choice = answer.choices[0]
        return Generated(opening + choice.written, choice.finish_reason == "length")

    def generate(self, requests: Sequence[GenerationRequest], book: Book) -> Iterator[Generated | RequestFailure]:
        """Yield the greedy continuation of each prompt in order."""
        return self._together(requests, book, self._generate)

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.pool.shutdown(wait=False, cancel_futures=True)
            server.client.close()
