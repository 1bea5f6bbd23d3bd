"""Log-likelihoods of continuations over HTTP: each needed token read once, as the next token after a cached prefix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from medctx.errors import MedctxError
from medctx_eval.engines.client import Answer, Body, Client
from medctx_eval.engines.probe import CHAT
from medctx_eval.engines.protocol import Failure, Scores
from medctx_eval.prompting.prompt import LikelihoodRequest

Tokens = tuple[int, ...]


def wanted_tokens(ask: LikelihoodRequest) -> dict[Tokens, set[int]]:
    """What must be read for an Ask: each proper prefix of its continuations once, with the tokens that may follow."""
    wanted: dict[Tokens, set[int]] = defaultdict(set)
    for continuation in ask.continuations:
        for place, token in enumerate(continuation):
            wanted[ask.prompt + continuation[:place]].add(token)
    return wanted


def own_tokens(lengths: Sequence[int], prompt: int, shared: int, block: int) -> int:
    """Tokens an Ask must compute when the first ``shared`` are cached, then its prompt: caches hold whole blocks.

    ``lengths``: of each prefix that is read, the prompt's first.
    """
    after_prompt = sum(length - prompt // block * block for length in lengths[1:])
    return lengths[0] - shared // block * block + after_prompt


def request(model: str, prefixes: Sequence[Tokens], wanted: Mapping[Tokens, set[int]]) -> Body:
    """The wanted tokens' log-probabilities after each of several prefixes, in one request."""
    return {
        "model": model,
        "prompt": [list(prefix) for prefix in prefixes],
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 1,
        "logprob_token_ids": sorted(set().union(*(wanted[prefix] for prefix in prefixes))),
        "return_tokens_as_token_ids": True,
    }


def read(answer: Answer, prefixes: Sequence[Tokens]) -> dict[Tokens, Mapping[str, float]]:
    """First-token log-probabilities by prefix."""
    return {prefix: choice.first_tokens for prefix, choice in zip(prefixes, answer.choices, strict=True)}


def gathered(ask: LikelihoodRequest, found: Mapping[Tokens, Mapping[str, float]], url: str) -> Scores:
    """The Scores of an Ask from what was read after each prefix."""
    try:
        return tuple(
            tuple(
                found[ask.prompt + continuation[:place]][f"token_id:{token}"]
                for place, token in enumerate(continuation)
            )
            for continuation in ask.continuations
        )
    except KeyError as error:
        raise MedctxError(
            f"The server {url} did not return the log-probability of {error.args[0]}; it does not know "
            "logprob_token_ids, use vLLM 0.20 or newer."
        ) from None


def by_top_tokens(client: Client, model: str, ask: LikelihoodRequest, top: int) -> tuple[Answer, Scores | Failure]:
    """Letters among the likeliest first tokens of a chat answer, for servers that give no others.

    A letter that is not listed is at most as likely as the last one listed, and gets that one's value; where none is
    listed the answer cannot be read.
    """
    answer = client.complete(
        CHAT,
        {
            "model": model,
            "messages": [{"role": "user", "content": ask.content}],
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": top,
        },
    )
    listed = answer.choices[0].first_tokens
    best: dict[str, float] = {}
    for token, logprob in listed.items():
        text = token.strip()
        best[text] = max(logprob, best.get(text, logprob))
    if not any(text in best for text in ask.texts):
        return answer, Failure("no letter is among the likeliest first tokens", "unparsable")
    least = min(listed.values())
    return answer, tuple((best.get(text, least),) for text in ask.texts)
