"""What a server can do, found by asking it: which forms of a question are possible there, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from medctx.errors import MedctxError
from medctx.schemas.records import Form, Record
from medctx_eval.engines.client import Body, BusyError, Client, RefusedError, Served, TooLongError

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"
TOP = 20
_STEP, _NEAR, _FEWEST = 2.0**-12, 0.05, 8
_WORDS = ("umbrella", "lantern")
"""Nothing a model would answer by itself: only a server that enforces choices gives one of them."""


class Abilities(Record):
    """``tokens``: prompts as token ids, with the log-probabilities of chosen tokens back. ``top_logprobs``: how many
    of the likeliest first tokens a chat answer lists. ``held``: by which means answers are held to choices.
    ``positions``: longest sequence, 0 where the server does not say. ``fine``: whether logits are float32, nothing
    where that cannot be told.
    """

    positions: int = 0
    tokens: bool = False
    fine: bool | None = None
    chat: bool = False
    top_logprobs: int = 0
    held: Literal["", "structured_outputs", "json_schema"] = ""

    @property
    def forms(self) -> frozenset[Form]:
        """Forms in which a question can be put."""
        found: set[Form] = set()
        if self.tokens:
            found |= {"text", "prior", "letter", "generate"}
        if self.top_logprobs:
            found.add("letter")
        if self.chat:
            found.add("generate")
        if self.held:
            found.add("choice")
        return frozenset(found)


def held_to(means: str, choices: tuple[str, ...]) -> Body:
    """The part of a request that holds the answer to choices."""
    if means == "structured_outputs":
        return {"structured_outputs": {"choice": list(choices)}}
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def _says(client: Client, route: str, body: Body) -> str | None:
    """What the server writes, or nothing where it refuses."""
    try:
        return client.complete(route, body).choices[0].written
    except (RefusedError, TooLongError):
        return None


def fine(logprobs: Iterable[float]) -> bool | None:
    """Whether log-probabilities of one distribution come from logits of float32.

    Logits of a half precision (but those near 0) are multiples of 2^-12, and so are the differences of their
    log-probabilities; of other logits one difference in ten is as near to a multiple. Nothing where there are too few
    different values.
    """
    values = set(logprobs)
    if len(values) < _FEWEST:
        return None

    def on_the_grid(one: float) -> int:
        steps = [(one - other) / _STEP for other in values]
        return sum(abs(step - round(step)) < _NEAR for step in steps)

    # Any value may be one of those near 0: the grid is looked for from each of them.
    return max(map(on_the_grid, values)) < len(values) / 2


def _first_tokens(client: Client, model: str, token: int) -> Mapping[str, float]:
    """Log-probabilities of a token and its neighbours in the vocabulary; nothing where chosen ones are not given."""
    begin = max(0, token - TOP + 1)
    wanted = list(range(begin, begin + TOP))
    body: Body = {
        "model": model,
        "prompt": [[token]],
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 1,
        "logprob_token_ids": wanted,
        "return_tokens_as_token_ids": True,
    }
    try:
        found = client.complete(COMPLETIONS, body).choices[0].first_tokens
    except (RefusedError, TooLongError):
        return {}
    names = [f"token_id:{one}" for one in wanted]
    return {name: found[name] for name in names} if set(names) <= set(found) else {}


def _chats(client: Client, model: str) -> tuple[bool, int]:
    """Whether it chats, and how many top log-probabilities it gives."""
    body: Body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 1,
        "temperature": 0.0,
    }
    for most in (TOP, 5):
        try:
            answer = client.complete(CHAT, {**body, "logprobs": True, "top_logprobs": most})
            return True, len(answer.choices[0].first_tokens)
        except (RefusedError, TooLongError):
            continue
    return _says(client, CHAT, body) is not None, 0


def _holds(client: Client, model: str) -> Literal["", "structured_outputs", "json_schema"]:
    body: Body = {
        "model": model,
        "messages": [{"role": "user", "content": "What is two and two?"}],
        "max_tokens": 24,
        "temperature": 0.0,
    }
    said = _says(client, CHAT, {**body, **held_to("structured_outputs", _WORDS)})
    if said is not None and said.strip() in _WORDS:
        return "structured_outputs"
    said = _says(client, CHAT, {**body, **held_to("json_schema", _WORDS)})
    if said is not None and any(f'"{word}"' in said for word in _WORDS):
        return "json_schema"
    return ""


def served_as(client: Client, model: str) -> Served:
    """The server's own entry of a model; an adapter's entry takes its length from its base."""
    served = {entry.id: entry for entry in client.models()}
    if model not in served:
        raise MedctxError(
            f"The server {client.url} does not serve {model!r}; it serves {', '.join(sorted(served)) or 'nothing'}."
        )
    entry = served[model]
    base = served.get(entry.parent or "")
    return entry.model_copy(update={"max_model_len": entry.positions or (base.positions if base else None)})


def probe(client: Client, model: str, token: int) -> Abilities:
    """Ask a server for everything an exam might need; ``token`` is any token of the model's vocabulary."""
    entry = served_as(client, model)
    try:
        tokens = _first_tokens(client, model, token)
        chat, top = _chats(client, model)
        held = _holds(client, model) if chat else ""
    except BusyError as error:
        raise MedctxError(f"The server {client.url} does not answer questions ({error}); try again later.") from None
    return Abilities(
        positions=entry.positions or 0,
        tokens=bool(tokens),
        fine=fine(tokens.values()),
        chat=chat,
        top_logprobs=top,
        held=held,
    )
