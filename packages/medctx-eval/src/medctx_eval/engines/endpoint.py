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
from medctx_eval.engines import likelihood as reading
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
from medctx_eval.engines.probe import CHAT, COMPLETIONS, Abilities, held_to, probe, served_as
from medctx_eval.engines.protocol import Failure, Scores, Written
from medctx_eval.prompting.prompt import GenerationRequest, LikelihoodRequest

Asked = TypeVar("Asked", LikelihoodRequest, GenerationRequest)
Given = TypeVar("Given")

REFUSALS = 20
"""So many refused questions in a row end the exam: something is wrong with all of them."""


@dataclass(slots=True)
class _Lane:
    """One server: its connection, its threads, and the Book tokens it was given."""

    client: Client
    pool: ThreadPoolExecutor
    load: int = field(default=0)


class EndpointEngine:
    """Scores one model behind HTTP servers that all serve it.

    All questions on a Book go to one server. Where a server takes token ids, a Book's common prefix is sent once before
    its questions, so that they find it in the server's prefix cache instead of computing it side by side;
    ``block_size`` is the grain of that cache. ``concurrency`` bounds the requests in flight at each server,
    ``books_at_once`` the Books it works on.
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
        self._lanes = [
            _Lane(Client(url, api_key, timeout_s), ThreadPoolExecutor(concurrency, thread_name_prefix="ask"))
            for url in urls
        ]
        self._books_at_once = books_at_once
        self._pinned: dict[str, _Lane] = {}
        self._lock = Lock()
        self._refused = 0
        first, *others = (lane.client for lane in self._lanes)
        self.abilities: Abilities = probe(first, model, probe_token)
        self.root = served_as(first, model).root or ""
        for other in others:
            served_as(other, model)
        self._meter = Meter([lane.client.http for lane in self._lanes])

    @property
    def client(self) -> Client:
        """The connection to the first server."""
        return self._lanes[0].client

    def without_tokens(self) -> None:
        """Ask in messages from now on: the tokenizer at hand is not the model's."""
        self.abilities = self.abilities.model_copy(update={"tokens": False})

    @property
    def usage(self) -> Usage:
        """What was spent so far, by the servers' own counters where they have them."""
        return self._meter.usage

    @property
    def forms(self) -> frozenset[Form]:
        """What the first server was found to be able to do."""
        return self.abilities.forms

    @property
    def fine(self) -> bool | None:
        """Whether the first server's logits are float32, as far as its answers show."""
        return self.abilities.fine

    @property
    def lanes(self) -> int:
        """Books asked at a time, over all servers."""
        return len(self._lanes) * self._books_at_once

    @property
    def max_positions(self) -> int:
        """Longest sequence the server says it takes; 0 where it does not say."""
        return self.abilities.positions

    def _lane(self, book: Book, tokens: int) -> _Lane:
        """A Book stays with the server that has it; a new one goes to the server with the least to do."""
        with self._lock:
            lane = self._pinned.get(book.id) if book.tokens else None
            if lane is None:
                lane = min(self._lanes, key=lambda one: one.load)
                if book.tokens:
                    self._pinned[book.id] = lane
            lane.load += tokens
            return lane

    def _safely(self, ask: Callable[[], Given]) -> Given | Failure:
        """A question's own trouble becomes its Failure; what would befall every question ends the exam."""
        try:
            given = ask()
        except BusyError as error:
            return Failure(f"{error} after {ATTEMPTS} attempts")
        except TooLongError as error:
            return Failure(str(error), "does_not_fit")
        except RefusedError as error:
            with self._lock:
                self._refused += 1
            if self._refused >= REFUSALS:
                raise
            return Failure(str(error))
        with self._lock:
            self._refused = 0
        return given

    def _send(self, lane: _Lane, body: Body, sent: int, book: int = 0) -> Answer:
        answer = lane.client.complete(COMPLETIONS, body)
        self._meter.count(answer, sent, book)
        return answer

    def _together(
        self, asked: Sequence[Asked], book: Book, one: Callable[[_Lane, Asked, int], Given]
    ) -> Iterator[Given | Failure]:
        """The prompts' common prefix first, then all of them at once, each with how many of its tokens are Book."""
        lane = self._lane(book, book.tokens + sum(len(each.prompt) - book.tokens for each in asked))
        whole = 0
        if self.abilities.tokens and len(asked) > 1:
            shared = shared_prefix([each.prompt for each in asked])
            whole = shared // self._block_size * self._block_size
            if whole:
                body: Body = {"model": self._model, "prompt": list(asked[0].prompt[:shared]), "max_tokens": 1}
                warmed = self._safely(lambda: self._send(lane, body, shared, whole if book.tokens else 0))
                if isinstance(warmed, Failure):
                    yield from (warmed for _ in asked)
                    return
        grain = whole if book.tokens else 0
        yield from lane.pool.map(lambda each: self._safely(lambda: one(lane, each, grain)), asked)

    def _read(self, lane: _Lane, ask: LikelihoodRequest, book: int) -> Scores | Failure:
        if not self.abilities.tokens:
            answer, found = reading.by_top_tokens(lane.client, self._model, ask, self.abilities.top_logprobs)
            self._meter.count(answer, len(ask.prompt))
            return found
        wanted = reading.wanted_tokens(ask)
        first, *later = wanted
        # The prompt alone first: the continuations then find it in the cache instead of computing it side by side.
        answer = self._send(lane, reading.request(self._model, [first], wanted), len(first), book)
        read = reading.read(answer, [first])
        if later:
            answer = self._send(lane, reading.request(self._model, later, wanted), sum(map(len, later)))
            read |= reading.read(answer, later)
        return reading.gathered(ask, read, lane.client.url)

    def score(self, asks: Sequence[LikelihoodRequest], book: Book) -> Iterator[Scores | Failure]:
        """Scores of each Ask in order."""
        return self._together(asks, book, self._read)

    def _write(self, lane: _Lane, writing: GenerationRequest, book: int) -> Written | Failure:
        held = held_to(self.abilities.held, writing.choices) if writing.choices else {}
        common: Body = {"model": self._model, "max_tokens": writing.limit, "temperature": 0.0, **held}
        if self.abilities.tokens and (not held or self.abilities.held == "structured_outputs"):
            answer = self._send(lane, {**common, "prompt": list(writing.prompt)}, len(writing.prompt), book)
            opening = writing.opening
        else:
            messages = [{"role": "user", "content": writing.content}]
            answer = lane.client.complete(CHAT, {**common, "messages": messages})
            self._meter.count(answer, len(writing.prompt))
            opening = ""  # the server renders, and may keep thoughts out of the answer
        choice = answer.choices[0]
        return Written(opening + choice.written, choice.finish_reason == "length")

    def write(self, writings: Sequence[GenerationRequest], book: Book) -> Iterator[Written | Failure]:
        """What the model writes after each prompt, in order."""
        return self._together(writings, book, self._write)

    def close(self) -> None:
        """Close the connections."""
        for lane in self._lanes:
            lane.pool.shutdown(wait=False, cancel_futures=True)
            lane.client.close()
