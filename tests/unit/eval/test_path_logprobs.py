"""Continuations read path by path at a server that keeps whole blocks: every value, each once, few tokens computed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx_eval.engines import likelihood
from medctx_eval.engines.answers import Answer
from medctx_eval.engines.client import PATHS
from medctx_eval.engines.likelihood import Reading, Tokens
from medctx_eval.engines.protocol import LikelihoodRequest

IDS = st.integers(1, 4)


def value(prefix: Tokens, token: int) -> float:
    """A log-probability that depends on all tokens before it."""
    return -1.0 - hash((prefix, token)) % 10_000 / 1_000


class BlockServer:
    """Answers the bodies of ``path_body`` as vLLM does: whole blocks are cached, their tokens have no values."""

    def __init__(self, block: int) -> None:
        self.block, self.computed, self.requests = block, 0, 0
        self._blocks: set[Tokens] = set()

    def _choice(self, prompt: Tokens, path: int, tokens: Sequence[int]) -> dict[str, Any]:
        ends = range(self.block, len(prompt), self.block)  # The last token is always computed.
        cached = 0
        for end in ends:
            if prompt[:end] not in self._blocks:
                break
            cached = end
        self.computed += len(prompt) - cached
        self._blocks.update(prompt[:end] for end in range(self.block, len(prompt) + 1, self.block))
        rows = [
            {f"token_id:{prompt[at]}": value(prompt[:at], prompt[at])} if at > cached else None
            for at in range(len(prompt) - path, len(prompt))
        ]
        last = {f"token_id:{token}": value(prompt, token) for token in tokens}
        return {"logprobs": {"top_logprobs": [*rows, last]}}

    def answer(self, body: dict[str, Any]) -> Answer:
        self.requests += 1
        inputs = zip(body["prompt"], body["path"], body["logprob_token_ids"], strict=True)
        choices = [{"index": n, **self._choice(tuple(ids), *rest)} for n, (ids, *rest) in enumerate(inputs)]
        return Answer.model_validate_json(json.dumps({"choices": choices}))

    def score(self, request: LikelihoodRequest, cached: int = 0) -> tuple[tuple[float, ...], ...]:
        needed = likelihood.next_tokens(request)

        def ask(prefixes: Sequence[Tokens], start: int) -> Reading:
            answer = self.answer(likelihood.path_body("base", prefixes, start, needed))
            return likelihood.by_path(answer, prefixes, start)

        scores = likelihood.gather_scores(request, likelihood.read_paths(needed, cached, ask), "server")
        assert isinstance(scores, tuple), scores
        return scores


@given(
    prompt=st.lists(IDS, min_size=1, max_size=40).map(tuple),
    continuations=st.lists(st.lists(IDS, min_size=1, max_size=9).map(tuple), min_size=1, max_size=5).map(tuple),
    block=st.integers(1, 16),
)
def test_every_token_gets_its_value_whatever_lies_in_cached_blocks(
    prompt: Tokens, continuations: tuple[Tokens, ...], block: int
) -> None:
    request = LikelihoodRequest(prompt, continuations)
    expected = tuple(
        tuple(value(prompt + option[:place], token) for place, token in enumerate(option)) for option in continuations
    )
    server = BlockServer(block)
    assert server.score(request) == expected
    assert server.score(request) == expected, "all blocks of the prompt are cached now"


def test_options_that_differ_from_the_start_cost_two_requests_and_the_tail_of_a_block() -> None:
    server = BlockServer(16)
    options = tuple((first, 1, 2, 3) for first in range(5, 9))
    server.score(LikelihoodRequest(tuple(range(100, 150)), options))
    assert server.requests == 2
    assert server.computed == 50 + 3 + 3 * (50 % 16 + 3)


def test_letters_are_read_by_one_prompt() -> None:
    server = BlockServer(16)
    server.score(LikelihoodRequest(tuple(range(100, 150)), ((5,), (6,), (7,), (8,))))
    assert (server.requests, server.computed) == (1, 50)


@pytest.mark.parametrize(("cached", "requests"), [(0, 3), (992, 2)])
def test_a_long_prompt_that_is_not_cached_is_computed_before_any_path(cached: int, requests: int) -> None:
    server = BlockServer(32)
    prompt = tuple(range(1_000))
    if cached:
        server.answer(likelihood.path_body("base", [prompt], len(prompt), {prompt: {1}}))
        server.requests = 0
    server.score(LikelihoodRequest(prompt, ((5, 1), (6, 1))), cached)
    assert server.requests == requests


def test_the_route_says_nothing_of_tokens_inside_cached_blocks() -> None:
    pytest.importorskip("starlette")
    from medctx_eval.engines.vllm_route import medctx_path_logprobs as module

    def at(logprob: float, token: int) -> dict[int, SimpleNamespace]:
        return {token: SimpleNamespace(logprob=logprob)}

    result = SimpleNamespace(
        prompt_token_ids=[7, 8, 9, 10, 11],
        num_cached_tokens=2,
        prompt_logprobs=[{}, at(-99.0, 8), at(math.nan, 9), at(-0.5, 10), at(-0.25, 11)],
        outputs=[SimpleNamespace(logprobs=[at(-0.125, 12) | at(-math.inf, 13) | at(-math.inf, 0)])],
    )
    expected = [None, {"token_id:10": -0.5}, {"token_id:11": -0.25}, {"token_id:12": -0.125, "token_id:13": -9999.0}]
    assert module._positions(result, 3, [12, 13]) == expected
    assert module.ROUTE == PATHS


def test_the_route_refuses_what_it_cannot_serve_and_leaves_other_routes_alone() -> None:
    pytest.importorskip("starlette")
    pytest.importorskip("httpx")
    from starlette.applications import Starlette
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.testclient import TestClient

    from medctx_eval.engines.vllm_route import medctx_path_logprobs as module

    app = Starlette()
    app.add_middleware(BaseHTTPMiddleware, dispatch=module.answer)
    app.state.openai_serving_models = SimpleNamespace(base_model_paths=[SimpleNamespace(name="base")], lora_requests={})
    client = TestClient(app)
    assert client.get(PATHS).json() == {"route": PATHS}
    body = {"model": "other", "prompt": [[1]], "path": [0], "logprob_token_ids": [[1]]}
    refused = client.post(PATHS, json=body)
    assert refused.status_code == 400
    assert "'other' does not exist" in refused.json()["error"]["message"]
    assert client.post(PATHS, json={"model": "base"}).status_code == 400
    assert client.get("/v1/models").status_code == 404
