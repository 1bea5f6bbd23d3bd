"""A route of the vLLM server: log-probabilities along the end of a prompt whose beginning is in the prefix cache.

vLLM's own routes either read no log-probabilities of the prompt or compute the whole prompt again for them. The engine
can do without (``skip_reading_prefix_cache=False``), but then holds no values for tokens inside cached blocks; they are
null here.

vLLM imports this module as ASGI middleware (``--middleware medctx_path_logprobs.answer``), possibly in an interpreter
without medctx: it imports nothing of medctx.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

ROUTE = "/medctx/path_logprobs"
"""The same as ``medctx_eval.engines.client.PATHS``."""


LEAST = -9999.0
"""Stands for minus infinity, which JSON cannot hold, as on vLLM's own routes."""


def _named(values: Mapping[int, Any], tokens: Iterable[int]) -> dict[str, float]:
    """Log-probabilities of tokens as the completions route names them; values that are no numbers are left out.

    vLLM fills the lists of a batch up to one length, so that there are values of tokens that nobody asked for.
    """
    known = {token: values[token].logprob for token in tokens if token in values}
    return {f"token_id:{token}": max(value, LEAST) for token, value in known.items() if not math.isnan(value)}


async def _read(state: Any, model: str, prompt: Sequence[int], path: int, tokens: Sequence[int]) -> Any:
    """Compute one prompt."""
    from vllm import SamplingParams
    from vllm.inputs import tokens_input

    parameters = SamplingParams(
        max_tokens=1,
        temperature=0.0,
        detokenize=False,
        flat_logprobs=True,
        logprobs=len(tokens),
        logprob_token_ids=list(tokens),
        prompt_logprobs=0 if path else None,
        skip_reading_prefix_cache=False,
    )
    outputs = state.engine_client.generate(
        tokens_input(list(prompt)),
        parameters,
        f"path-{uuid.uuid4().hex}",
        lora_request=state.openai_serving_models.lora_requests.get(model),
    )
    return [output async for output in outputs][-1]


def _positions(result: Any, path: int, tokens: Sequence[int]) -> list[dict[str, float] | None]:
    """The last ``path`` tokens of the prompt, each after those before it, then the token after the prompt."""
    length = len(result.prompt_token_ids)
    # The row of a token predicts the next one: the first row that was computed predicts the second uncached token.
    first = (result.num_cached_tokens or 0) + 1
    rows = [
        _named(result.prompt_logprobs[at], [result.prompt_token_ids[at]]) if at >= first else None
        for at in range(length - path, length)
    ]
    return [*rows, _named(result.outputs[0].logprobs[0], tokens)]


async def _score(state: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer in the form of the completions route, one choice for each prompt."""
    model, prompts, paths, tokens = (body[key] for key in ("model", "prompt", "path", "logprob_token_ids"))
    served = {*(base.name for base in state.openai_serving_models.base_model_paths)}
    if model not in served | state.openai_serving_models.lora_requests.keys():
        raise ValueError(f"The model {model!r} does not exist.")
    inputs = list(zip(prompts, paths, tokens, strict=True))
    results = await asyncio.gather(*(_read(state, model, *values) for values in inputs))
    choices = [
        {
            "index": index,
            "text": "",
            "finish_reason": "length",
            "logprobs": {"top_logprobs": _positions(result, path, needed)},
        }
        for index, (result, path, needed) in enumerate(zip(results, paths, tokens, strict=True))
    ]
    usage = {
        "prompt_tokens": sum(map(len, prompts)),
        "completion_tokens": len(prompts),
        "prompt_tokens_details": {"cached_tokens": sum(result.num_cached_tokens or 0 for result in results)},
    }
    return {"model": model, "choices": choices, "usage": usage}


async def answer(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answer requests to the route; pass all others on.

    The body of a POST holds ``model``, and for each prompt ``prompt`` (token ids), ``path`` (how many of its last
    tokens to read) and ``logprob_token_ids`` (the tokens to read after it). A GET says that the route exists.
    """
    if request.url.path != ROUTE:
        return await call_next(request)
    if request.method == "GET":
        return JSONResponse({"route": ROUTE})
    try:
        return JSONResponse(await _score(request.app.state, await request.json()))
    except (ValueError, KeyError, TypeError) as error:
        message = {"message": f"{type(error).__name__}: {error}", "type": "BadRequestError", "code": 400}
        return JSONResponse({"error": message}, status_code=400)
