"""Usage of an exam over HTTP, counted from the servers' answers and their own counters."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock

import httpx
from prometheus_client.parser import text_string_to_metric_families

from medctx.schemas.exam_run import Usage
from medctx_eval.engines.answers import Answer
from medctx_eval.engines.client import Client

_HISTOGRAM = "vllm:request_prefill_kv_computed_tokens"


def computed_tokens(client: Client) -> int | None:
    """Prompt tokens that vLLM has computed, not read from its prefix cache, since it started; None without metrics."""
    try:
        response = client.get("/metrics")
    except httpx.HTTPError:
        return None
    if response.status_code != 200:
        return None
    try:
        computed = [
            sample.value
            for family in text_string_to_metric_families(response.text)
            if family.name == _HISTOGRAM
            for sample in family.samples
            if sample.name.endswith("_sum")
        ]
    except ValueError:
        # Some servers answer every address with something.
        return None
    return int(sum(computed)) if computed else None


class Meter:
    """Counts requests, tokens and Book prefills. Safe to use from several threads.

    ``computed_tokens`` is the difference of the servers' own counters, so it includes the tokens of other users of the
    same server. ``book_prefills`` adds up, over requests with one prompt, the share of the Book's tokens that was not
    in the cache; it stays unknown for servers that do not report cached tokens.
    """

    def __init__(self, servers: Sequence[Client]) -> None:
        self._servers = servers
        self._before = self._computed()
        self._requests, self._prompt_tokens = 0, 0
        self._book_prefills: float | None = None
        self._lock = Lock()
        self._begun = time.monotonic()

    def _computed(self) -> int | None:
        counts = [computed_tokens(server) for server in self._servers]
        known = [count for count in counts if count is not None]
        return sum(known) if known else None

    def count(self, answer: Answer, sent: int, book: int = 0) -> None:
        """Count one answer.

        Args:
            answer: The answer.
            sent: Prompt tokens of its request.
            book: Book tokens among them, in whole blocks of the cache; 0 if unknown or if the request had several
                prompts.
        """
        details = answer.usage.prompt_tokens_details if answer.usage else None
        with self._lock:
            self._requests += 1
            self._prompt_tokens += sent
            if book and details is not None and details.cached_tokens is not None:
                share = max(0, book - details.cached_tokens) / book
                self._book_prefills = (self._book_prefills or 0.0) + share

    @property
    def usage(self) -> Usage:
        """Usage so far; reads the servers' counters."""
        now = self._computed()
        computed = None if now is None or self._before is None else now - self._before
        with self._lock:
            return Usage(
                requests=self._requests,
                prompt_tokens=self._prompt_tokens,
                computed_tokens=computed,
                book_prefills=self._book_prefills,
                seconds=time.monotonic() - self._begun,
            )
