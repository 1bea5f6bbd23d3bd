"""Log-likelihoods of continuations over HTTP: whole paths of tokens, or token by token, after a cached prefix."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from medctx.errors import MedctxError
from medctx_eval.engines.answers import Answer
from medctx_eval.engines.client import Body
from medctx_eval.engines.protocol import LikelihoodRequest, RequestFailure, TokenLogprobs

Tokens = tuple[int, ...]
Reading = Mapping[Tokens, Mapping[str, float]]
"""Log-probabilities of next tokens, by prefix and by the server's name of the token."""

MAX_PATH_TOKENS = 512
"""Longer prompts are computed before their continuations are read, which takes memory for each token not cached."""

MAX_TOTAL = 1.02
"""The most that the probabilities of different tokens may add up to, with room for half precision."""
LEAST_LIKELIEST = -16.0
"""The likeliest token of a vocabulary of nine million tokens has at least this log-probability."""


def distribution_problem(first_tokens: Mapping[str, float], *, likeliest: bool = False) -> str:
    """Why these cannot be log-probabilities of different tokens at one position; "" if they can.

    Scores that are not normalised (logits, or a penalty for unlisted tokens) pass as log-probabilities one by one.
    Values that are impossible alone are left to who stores the answer.

    Args:
        first_tokens: Log-probabilities by token.
        likeliest: Whether the likeliest token is among them.
    """
    values = [value for value in first_tokens.values() if value <= 0]
    total = sum(map(math.exp, values))
    if total > MAX_TOTAL:
        return f"the probabilities of {len(values)} tokens add up to {total:.2f}: the scores are not normalised"
    if likeliest and values and max(first_tokens.values()) < LEAST_LIKELIEST:
        return f"the likeliest token has a log-probability of {max(values):g}, which none can have"
    return ""


def next_tokens(request: LikelihoodRequest) -> dict[Tokens, set[int]]:
    """The prefixes at which next-token log-probabilities are needed, each once, with the tokens needed there."""
    needed: dict[Tokens, set[int]] = defaultdict(set)
    for continuation in request.continuations:
        for place, token in enumerate(continuation):
            needed[request.prompt + continuation[:place]].add(token)
    return needed


def logprob_body(model: str, prefixes: Sequence[Tokens], needed: Mapping[Tokens, set[int]]) -> Body:
    """The body of one request for the log-probabilities of the needed tokens after each of several prefixes."""
    return {
        "model": model,
        "prompt": [list(prefix) for prefix in prefixes],
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 1,
        "logprob_token_ids": sorted(set().union(*(needed[prefix] for prefix in prefixes))),
        "return_tokens_as_token_ids": True,
    }


def by_prefix(answer: Answer, prefixes: Sequence[Tokens]) -> dict[Tokens, Mapping[str, float]]:
    """First-token log-probabilities by prefix."""
    return {prefix: choice.first_tokens for prefix, choice in zip(prefixes, answer.choices, strict=True)}


def leaves(prefixes: Iterable[Tokens]) -> list[Tokens]:
    """The prefixes that no other one goes on from, in their order: their paths pass through all others."""
    inner = {prefix[:-1] for prefix in prefixes}
    return [prefix for prefix in prefixes if prefix not in inner]


def path_body(model: str, prefixes: Sequence[Tokens], start: int, needed: Mapping[Tokens, set[int]]) -> Body:
    """The body of one request for the tokens of several prefixes from ``start`` on, and those needed after them."""
    return {
        "model": model,
        "prompt": [list(prefix) for prefix in prefixes],
        "path": [len(prefix) - start for prefix in prefixes],
        "logprob_token_ids": [sorted(needed[prefix]) for prefix in prefixes],
    }


def by_path(answer: Answer, prefixes: Sequence[Tokens], start: int) -> dict[Tokens, dict[str, float]]:
    """What an answer to ``path_body`` says of the next token, by prefix; without what was not computed."""
    read: dict[Tokens, dict[str, float]] = defaultdict(dict)
    for prefix, choice in zip(prefixes, answer.choices, strict=True):
        for place, values in enumerate(choice.path_tokens, start):
            read[prefix[:place]].update(values or {})
    return read


def read_paths(
    needed: Mapping[Tokens, set[int]], cached: int, ask: Callable[[Sequence[Tokens], int], Reading]
) -> Reading:
    """Read what is needed with one prompt for each continuation that is not the beginning of another one.

    Args:
        needed: The tokens needed after each prefix, the prompt first.
        cached: Tokens of the prompt that the server has computed already.
        ask: Reads the tokens of several prefixes from a place on, and those needed after them; it leaves out what was
            in the server's cache.

    Returns:
        The log-probabilities by prefix.
    """
    read: dict[Tokens, dict[str, float]] = {prefix: {} for prefix in needed}

    def add(prefixes: Sequence[Tokens], start: int) -> None:
        for prefix, values in ask(prefixes, start).items():
            read[prefix].update(values)

    prompt, *_ = needed
    first, *later = leaves(needed)
    if first != prompt and len(prompt) - cached > MAX_PATH_TOKENS:
        add([prompt], len(prompt))
    # One path first: the others then find the prompt in the cache instead of computing it in parallel.
    add([first], len(prompt))
    if later:
        add(later, len(prompt))
    for prefix, tokens in needed.items():
        # Tokens inside cached blocks have no value in a path, and some lie beside all paths: they are next tokens here.
        if not {f"token_id:{token}" for token in tokens} <= read[prefix].keys():
            add([prefix], len(prefix))
    return read


def gather_scores(
    request: LikelihoodRequest, read: Mapping[Tokens, Mapping[str, float]], url: str
) -> TokenLogprobs | RequestFailure:
    """Combine what was read after each prefix into the log-probabilities of the continuations."""
    problem = next(filter(None, map(distribution_problem, read.values())), "")
    if problem:
        return RequestFailure(problem)
    try:
        return tuple(
            tuple(
                read[request.prompt + continuation[:place]][f"token_id:{token}"]
                for place, token in enumerate(continuation)
            )
            for continuation in request.continuations
        )
    except KeyError as error:
        raise MedctxError(
            f"The server {url} did not return the log-probability of {error.args[0]}; it does not support "
            "logprob_token_ids, use vLLM 0.20 or newer."
        ) from None


def top_tokens_body(chat: Body, top: int) -> Body:
    """The body of a chat request that asks for the likeliest first tokens."""
    return {**chat, "logprobs": True, "top_logprobs": top}


def from_top_tokens(answer: Answer, request: LikelihoodRequest) -> TokenLogprobs | RequestFailure:
    """Read letters from the likeliest first tokens of a chat answer, for servers that return no others.

    A letter that is not listed is at most as likely as the last one listed, and gets that one's value; if none is
    listed, the answer is unparsable.
    """
    listed = answer.choices[0].first_tokens
    problem = distribution_problem(listed, likeliest=True) if listed else "the answer lists no log-probabilities"
    if problem:
        return RequestFailure(problem)
    best: dict[str, float] = {}
    for token, logprob in listed.items():
        text = token.strip()
        best[text] = max(logprob, best.get(text, logprob))
    if not any(text in best for text in request.texts):
        return RequestFailure("no letter is among the likeliest first tokens", "unparsable")
    least = min(listed.values())
    return tuple((best.get(text, least),) for text in request.texts)
