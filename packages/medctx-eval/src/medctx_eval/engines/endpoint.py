"""Any server with vLLM's OpenAI-compatible completions: prompts as token ids, chosen tokens' log-probabilities back."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from medctx.errors import MedctxError
from medctx_eval.engines import metrics
from medctx_eval.engines.protocol import Receipt, Scores
from medctx_eval.prompt import Ask, shared_prefix

TIMEOUT_S = 600.0
ATTEMPTS = 5
Tokens = tuple[int, ...]


class _TryAgainError(Exception):
    """The server was busy or gone for a moment."""


def wanted_tokens(ask: Ask) -> dict[Tokens, set[int]]:
    """What must be read for an Ask: each proper prefix of its continuations once, with the tokens that may follow."""
    wanted: dict[Tokens, set[int]] = defaultdict(set)
    for continuation in ask.continuations:
        for place, token in enumerate(continuation):
            wanted[ask.prompt + continuation[:place]].add(token)
    return wanted


class EndpointEngine:
    """Scores one model behind an HTTP server.

    A Book's common prefix is sent once before its questions, so that they find it in the server's prefix cache
    instead of computing it side by side; the receipt counts Book prefills as Book tokens the server says it computed
    over Book tokens there are (``block_size``: the grain of its cache). Answers 429, 5xx and lost connections are tried
    again with growing waits.
    """

    def __init__(self, url: str, model: str, *, api_key: str = "", concurrency: int = 8, block_size: int = 16) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT_S)
        self._url, self._model, self._block_size = url, model, block_size
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="ask")
        self.receipt = Receipt()
        self._max_positions = self._probe()

    @property
    def max_positions(self) -> int:
        """Longest sequence the server says it takes."""
        return self._max_positions

    def _probe(self) -> int:
        try:
            answer = self._client.get("/v1/models")
        except httpx.HTTPError as error:
            raise MedctxError(
                f"No server answers at {self._url} ({type(error).__name__}); start it or correct the address."
            ) from None
        if answer.status_code != 200:
            raise MedctxError(
                f"{self._url}/v1/models answers {answer.status_code}; is it an OpenAI-compatible server, and is the "
                "key right?"
            )
        served = {entry["id"]: entry for entry in answer.json()["data"]}
        if self._model not in served:
            raise MedctxError(
                f"The server {self._url} does not serve {self._model!r}; it serves {', '.join(sorted(served))}."
            )
        entry = served[self._model]
        # An adapter's entry names its base, which alone carries the length.
        length = entry.get("max_model_len") or served.get(entry.get("parent") or "", {}).get("max_model_len")
        if not length:
            raise MedctxError(
                f"The server {self._url} does not say how long its context is (max_model_len); only vLLM's own server "
                "can be asked for option likelihoods."
            )
        return int(length)

    def _post(self, body: dict[str, object]) -> list[dict[str, float]]:
        try:
            answer = self._client.post("/v1/completions", json={"model": self._model, **body})
        except httpx.HTTPError as error:
            raise _TryAgainError(f"{type(error).__name__} from {self._url}") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _TryAgainError(f"{answer.status_code} from {self._url}: {answer.text[:200]}")
        if answer.status_code != 200:
            raise MedctxError(f"The server {self._url} refused a request ({answer.status_code}): {answer.text[:300]}")
        choices = sorted(answer.json()["choices"], key=lambda choice: choice["index"])
        self.receipt.requests += 1
        return [
            cast("dict[str, float]", choice["logprobs"]["top_logprobs"][0]) if choice.get("logprobs") else {}
            for choice in choices
        ]

    def _patiently(self, body: dict[str, object]) -> list[dict[str, float]]:
        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgainError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(initial=0.5, max=20),
            reraise=True,
        )
        return retrying(self._post, body)

    def _next_tokens(
        self, prefixes: Sequence[Tokens], wanted: dict[Tokens, set[int]]
    ) -> dict[Tokens, dict[str, float]]:
        """The wanted tokens' log-probabilities after each of several prefixes, in one request."""
        body: dict[str, object] = {
            "prompt": [list(prefix) for prefix in prefixes],
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": 1,
            "logprob_token_ids": sorted(set().union(*(wanted[prefix] for prefix in prefixes))),
            "return_tokens_as_token_ids": True,
        }
        return dict(zip(prefixes, self._patiently(body), strict=True))

    def _read(self, ask: Ask) -> Scores | str:
        wanted = wanted_tokens(ask)
        prefixes = list(wanted)
        try:
            # The prompt alone first: the continuations then find it in the cache instead of computing it side by side.
            read = self._next_tokens(prefixes[:1], wanted)
            if len(prefixes) > 1:
                read |= self._next_tokens(prefixes[1:], wanted)
        except _TryAgainError as error:
            return f"{error} after {ATTEMPTS} attempts"
        try:
            return tuple(
                tuple(
                    read[ask.prompt + continuation[:place]][f"token_id:{token}"]
                    for place, token in enumerate(continuation)
                )
                for continuation in ask.continuations
            )
        except KeyError as error:
            raise MedctxError(
                f"The server {self._url} did not return the log-probability of {error.args[0]}; it does not know "
                "logprob_token_ids, use vLLM 0.20 or newer."
            ) from None

    def score(self, asks: Sequence[Ask], book_tokens: int) -> list[Scores | str]:
        """Send the common prefix first, then all Asks at once; results in the order of the Asks."""
        begun = time.monotonic()
        before = metrics.computed_tokens(self._client)
        shared = shared_prefix(asks)
        try:
            if shared:
                self._patiently({"prompt": list(asks[0].prompt[:shared]), "max_tokens": 1})
        except _TryAgainError as error:
            return [f"{error} after {ATTEMPTS} attempts" for _ in asks]
        warmed = metrics.computed_tokens(self._client)
        results = list(self._pool.map(self._read, asks))
        after = metrics.computed_tokens(self._client)
        self.receipt.prompt_tokens += sum(len(prefix) for ask in asks for prefix in wanted_tokens(ask)) + shared
        self.receipt.computed_tokens += after - before
        if book_tokens:
            own = sum(self._own_tokens(ask, shared) for ask in asks)
            again = max(0, after - warmed - own)
            self.receipt.book_prefills += (warmed - before + again) / shared
        self.receipt.seconds += time.monotonic() - begun
        return results

    def _own_tokens(self, ask: Ask, shared: int) -> int:
        """Tokens an Ask must compute when the shared part is cached, then its prompt: caches hold whole blocks."""
        block = self._block_size
        lengths = [len(prefix) for prefix in wanted_tokens(ask)]
        after_prompt = sum(length - len(ask.prompt) // block * block for length in lengths[1:])
        return lengths[0] - shared // block * block + after_prompt

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()
