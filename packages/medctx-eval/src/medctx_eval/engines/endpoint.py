"""An exam over HTTP: one model behind one or several OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple, Self, TypeVar

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.exam_run import Usage
from medctx.schemas.records import Book, Form
from medctx.text.continuation import shared_prefix
from medctx_eval.engines import likelihood
from medctx_eval.engines.answers import Answer
from medctx_eval.engines.client import CHAT, COMPLETIONS, PATHS, Body, Client
from medctx_eval.engines.failures import BusyError, FilteredError, RefusedError, TooLongError
from medctx_eval.engines.likelihood import Reading, Tokens
from medctx_eval.engines.meter import Meter
from medctx_eval.engines.probe import Abilities, constrain, probe, served_as
from medctx_eval.engines.protocol import (
    Generated,
    GenerationRequest,
    LikelihoodRequest,
    RequestFailure,
    TokenLogprobs,
)
from medctx_eval.engines.time_limits import GIVE_UP_S, TIMEOUT_S

RequestT = TypeVar("RequestT", LikelihoodRequest, GenerationRequest)
ResultT = TypeVar("ResultT")

MAX_REFUSALS = 20
"""This many refused requests in a row end the exam: the cause concerns all of them."""
MIN_TOKENS_PER_BYTE = 0.1
"""No tokenizer in use makes fewer tokens of a text: prose takes 3 to 6 bytes a token in every script."""
RENDERED_SHARE, UNSURE_SHARE = 0.9, 0.5
"""A server's rendering of a message has at least this share of the tokens counted here: with the model's own tokenizer,
and with one of which the server does not say whether it is."""


_MACHINE_KEYS = frozenset({"root", "owned_by", "object"})
"""What two servers of one model may say differently: where they read it from."""


class CutPromptError(Exception):
    """The server read fewer tokens than were sent."""


@dataclass(slots=True)
class _Server:
    """One server: its connection, its threads, the tokens it was sent, and the requests it has not answered yet."""

    client: Client
    pool: ThreadPoolExecutor
    load: int = field(default=0)
    waiting: int = field(default=0)


class _Shared(NamedTuple):
    """Tokens in whole cache blocks that all prompts of a batch begin with: all of them, and those of a Book."""

    cached: int
    book: int


class EndpointEngine:
    """Asks one model behind one or several HTTP servers that all serve it.

    All requests about a Book go to one server. If it takes token ids, the Book's common prefix is sent once before its
    requests, so that they find it in the server's prefix cache instead of computing it in parallel.

    Args:
        urls: Addresses of the servers.
        model: The model's name there.
        api_key: Sent as a bearer token.
        concurrency: Requests in flight at each server.
        block_size: Block size of the servers' prefix cache, in tokens.
        probe_token: Any token of the model's vocabulary.
        timeout_s: Time limit of a whole answer.
        give_up_s: Seconds without any answer after which a server counts as down.
    """

    def __init__(
        self,
        urls: Sequence[str],
        model: str,
        *,
        api_key: str = "",
        concurrency: int = 8,
        block_size: int = 16,
        probe_token: int = 0,
        timeout_s: float = TIMEOUT_S,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        self._model, self._block_size = model, block_size
        self.rendered_share: float | None = UNSURE_SHARE
        self._servers = [
            _Server(
                Client(url, api_key, timeout_s, give_up_s), ThreadPoolExecutor(concurrency, thread_name_prefix="ask")
            )
            for url in urls
        ]
        self.concurrency = concurrency * len(urls)
        self._pinned: dict[str, _Server] = {}
        self._lock = Lock()
        self._refused = 0
        self._said_cut = False
        first, *others = (server.client for server in self._servers)
        self.abilities: Abilities = probe(first, model, probe_token)
        for other in others:
            self._require_same(first, other)
        for server in self._servers:
            server.client.expect_model(self.abilities.answers_as)
        self._meter = Meter([server.client for server in self._servers])

    def _require_same(self, first: Client, other: Client) -> None:
        """Refuse a server that says other things of the model than the first one does."""
        entry = served_as(other, self._model)
        fields, known = (entry.lasting_fields if entry else {}), self.abilities.fields
        different = sorted(key for key in fields.keys() | known.keys() if fields.get(key) != known.get(key))
        if set(different) - _MACHINE_KEYS:
            raise MedctxError(
                f"{first.url} and {other.url} do not serve the same {self._model!r} ({', '.join(different)} differ); "
                "give urls of one model."
            )

    @property
    def client(self) -> Client:
        """The connection to the first server."""
        return self._servers[0].client

    def one_by_one(self) -> tuple[Self, ...]:
        """For each server an engine that asks it alone."""
        engines = []
        for server in self._servers:
            engine = copy(self)
            engine._servers, engine._pinned = [server], {}
            engines.append(engine)
        return tuple(engines)

    @property
    def greedy(self) -> bool:
        """Whether written answers are the likeliest: the server takes a temperature of 0, or one near it."""
        dialect = self.abilities.dialect
        return self.abilities.tokens or (dialect is not None and dialect.temperature is not None)

    @property
    def urls(self) -> tuple[str, ...]:
        """The base addresses in use, without secrets."""
        return tuple(server.client.url for server in self._servers)

    @property
    def described(self) -> dict[str, JsonValue]:
        """What the first server says of the model and of itself."""
        version = {"version": self.abilities.version} if self.abilities.version else {}
        named = {"answers as": self.abilities.answers_as} if self.abilities.answers_as else {}
        return {**self.abilities.fields, **version, **named}

    def set_tokenizer(self, *, in_bytes: bool, agrees: bool | None) -> None:
        """Say how prompts are counted here: in bytes, or with a tokenizer that is known to be the model's or not."""
        self.rendered_share = None if in_bytes else RENDERED_SHARE if agrees else UNSURE_SHARE

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
    def max_positions(self) -> int:
        """Longest sequence by the server's own statement; 0 if it makes none."""
        return self.abilities.facts.length

    def _server_for(self, book: Book, tokens: int, requests: int) -> _Server:
        """A Book stays with the server that has it; a new Book goes to the server with the least to do."""
        with self._lock:
            server = self._pinned.get(book.id) if book.tokens else None
            if server is None:
                server = min(self._servers, key=lambda candidate: (candidate.waiting, candidate.load))
                if book.tokens:
                    self._pinned[book.id] = server
            server.load += tokens
            server.waiting += requests
            return server

    def _safely(self, server: _Server, ask: Callable[[], ResultT]) -> ResultT | RequestFailure:
        """Turn an error of one request into its RequestFailure; an error that concerns all requests is raised."""
        try:
            result = ask()
        except BusyError as error:
            return RequestFailure(str(error))
        except TooLongError as error:
            return RequestFailure(str(error), "does_not_fit")
        except CutPromptError as error:
            return RequestFailure(str(error), "does_not_fit")
        except FilteredError as error:
            return RequestFailure(str(error), "unparsable")
        except RefusedError as error:
            with self._lock:
                self._refused += 1
            if self._refused >= MAX_REFUSALS:
                raise
            return RequestFailure(str(error))
        finally:
            with self._lock:
                server.waiting -= 1
        with self._lock:
            self._refused = 0
        return result

    def _require_whole(self, server: _Server, answer: Answer, expected: int, message: str) -> None:
        """Refuse an answer to a prompt of which the server read only a part.

        Args:
            server: The server that answered.
            answer: Its answer, with the number of prompt tokens it read.
            expected: The tokens sent.
            message: The message sent for the server to render, "" if token ids were sent.
        """
        read = answer.usage.prompt_tokens if answer.usage else None
        least = expected
        if message:
            share = self.rendered_share
            least = int(MIN_TOKENS_PER_BYTE * len(message.encode()) if share is None else share * expected)
        if read is None or read >= least:
            return
        with self._lock:
            first, self._said_cut = not self._said_cut, True
        if first:
            say(
                f"WARNING: {server.client.url} cut a prompt: it read {read:,} tokens of at least {least:,} sent. Such "
                "questions count as does_not_fit; raise the server's context length, or state it with positions=."
            )
        raise CutPromptError(f"the server read {read:,} tokens of at least {least:,} sent")

    def _send(self, server: _Server, body: Body, prompts: int, sent: int, book: int = 0) -> Answer:
        """Send token ids."""
        answer = server.client.complete(COMPLETIONS, body, prompts)
        self._require_whole(server, answer, sent, "")
        self._meter.count(answer, sent, book)
        return answer

    def _chat(self, server: _Server, body: Body, message: str, sent: int) -> Answer:
        """Send a message that the server renders."""
        answer = server.client.complete(CHAT, body)
        self._require_whole(server, answer, sent, message)
        self._meter.count(answer, sent)
        return answer

    def _together(
        self, requests: Sequence[RequestT], book: Book, ask: Callable[[_Server, RequestT, _Shared], ResultT]
    ) -> Iterator[ResultT | RequestFailure]:
        """Send the prompts' common prefix first, then all requests at once."""
        tokens = book.tokens + sum(len(request.prompt) - book.tokens for request in requests)
        server = self._server_for(book, tokens, len(requests))
        whole = 0
        if self.abilities.tokens and len(requests) > 1:
            shared = shared_prefix([request.prompt for request in requests])
            whole = shared // self._block_size * self._block_size
            if whole:
                # Whole blocks only: what is left of the last one would be computed again for every request.
                body: Body = {"model": self._model, "prompt": list(requests[0].prompt[:whole]), "max_tokens": 1}
                with self._lock:
                    server.waiting += 1
                cached = whole if book.tokens else 0
                warm = server.pool.submit(
                    self._safely, server, lambda: self._send(server, body, 1, whole, cached)
                ).result()
                if isinstance(warm, RequestFailure):
                    with self._lock:
                        server.waiting -= len(requests)
                    yield from (warm for _ in requests)
                    return
        shared_tokens = _Shared(cached=whole, book=whole if book.tokens else 0)
        yield from server.pool.map(
            lambda request: self._safely(server, lambda: ask(server, request, shared_tokens)), requests
        )

    def _score(self, server: _Server, request: LikelihoodRequest, shared: _Shared) -> TokenLogprobs | RequestFailure:
        if not self.abilities.tokens:
            assert self.abilities.dialect is not None
            body = likelihood.top_tokens_body(
                self.abilities.dialect.body(self._model, request.message, 1), self.abilities.top_logprobs
            )
            answer = self._chat(server, body, request.message, len(request.prompt))
            return likelihood.from_top_tokens(answer, request)
        needed = likelihood.next_tokens(request)
        if self.abilities.paths:
            return likelihood.gather_scores(request, self._read_paths(server, needed, shared), server.client.url)
        first, *later = needed
        # The prompt first: the continuations then find it in the cache instead of computing it in parallel.
        answer = self._send(server, likelihood.logprob_body(self._model, [first], needed), 1, len(first), shared.book)
        read = likelihood.by_prefix(answer, [first])
        if later:
            body = likelihood.logprob_body(self._model, later, needed)
            answer = self._send(server, body, len(later), sum(map(len, later)))
            read |= likelihood.by_prefix(answer, later)
        return likelihood.gather_scores(request, read, server.client.url)

    def _read_paths(self, server: _Server, needed: Mapping[Tokens, set[int]], shared: _Shared) -> Reading:
        """Read whole continuations at a server with the route for it."""
        books = iter((shared.book,))

        def ask(prefixes: Sequence[Tokens], start: int) -> Reading:
            body = likelihood.path_body(self._model, prefixes, start, needed)
            answer = server.client.complete(PATHS, body, len(prefixes))
            sent = sum(map(len, prefixes))
            self._require_whole(server, answer, sent, "")
            self._meter.count(answer, sent, next(books, 0))
            return likelihood.by_path(answer, prefixes, start)

        return likelihood.read_paths(needed, shared.cached, ask)

    def score(self, requests: Sequence[LikelihoodRequest], book: Book) -> Iterator[TokenLogprobs | RequestFailure]:
        """Yield the log-probabilities of each request in order."""
        return self._together(requests, book, self._score)

    def _generate(self, server: _Server, request: GenerationRequest, shared: _Shared) -> Generated | RequestFailure:
        choice_by, dialect = self.abilities.choice_by, self.abilities.dialect
        constraint = constrain(choice_by, request.choices) if request.choices else {}
        sent, opening = len(request.prompt), ""
        if self.abilities.tokens and (not constraint or choice_by == "structured_outputs"):
            body: Body = {
                "model": self._model,
                "prompt": list(request.prompt),
                "max_tokens": request.max_tokens,
                "temperature": 0.0,
                **constraint,
            }
            answer = self._send(server, body, 1, sent, shared.book)
            opening = request.opening
        else:
            # The server renders the prompt, and may keep thoughts out of the answer.
            assert dialect is not None
            body = {**dialect.body(self._model, request.message, request.max_tokens), **constraint}
            answer = self._chat(server, body, request.message, sent)
        choice = answer.choices[0]
        if choice.is_filtered and not choice.written.strip():
            return RequestFailure("the server's content filter removed the answer", "unparsable")
        return Generated(opening + choice.written, choice.is_cut)

    def generate(self, requests: Sequence[GenerationRequest], book: Book) -> Iterator[Generated | RequestFailure]:
        """Yield the greedy continuation of each prompt in order."""
        return self._together(requests, book, self._generate)

    def means(self) -> Mapping[str, str]:
        """How answers are requested, as far as servers differ in it."""
        dialect = self.abilities.dialect
        by_tokens = self.abilities.tokens
        means = {"prompt": "token ids" if by_tokens else "messages"}
        if dialect is not None and not by_tokens:
            temperature = "chosen by the server" if dialect.temperature is None else f"{dialect.temperature:g}"
            means |= {"temperature": temperature, "limit": dialect.limit_key}
        return means

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.pool.shutdown(wait=False, cancel_futures=True)
            server.client.close()
