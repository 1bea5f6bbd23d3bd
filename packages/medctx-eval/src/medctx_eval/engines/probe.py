"""Finds out by test requests which forms of a question a server supports, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from medctx.errors import MedctxError
from medctx.schemas.records import Form, Record
from medctx_eval.engines.client import Body, BusyError, Client, RefusedError, ServedModel, TooLongError

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"
TOP = 20
_STEP, _NEAR, _FEWEST = 2.0**-12, 0.05, 8
_WORDS = ("umbrella", "lantern")
"""No model would answer these by itself: only a server that enforces choices returns one of them."""


class Abilities(Record):
    """What a server supports.

    Attributes:
        positions: Longest sequence; 0 if the server does not state it.
        tokens: Whether it takes prompts as token ids and returns the log-probabilities of chosen tokens.
        float32_logits: Whether logits are float32; None if unknown.
        chat: Whether it has a chat route.
        top_logprobs: How many of the likeliest first tokens a chat answer lists.
        choice_by: By which request field answers are constrained to choices.
    """

    positions: int = 0
    tokens: bool = False
    float32_logits: bool | None = None
    chat: bool = False
    top_logprobs: int = 0
    choice_by: Literal["", "structured_outputs", "json_schema"] = ""

    @property
    def forms(self) -> frozenset[Form]:
        """Forms in which a question can be asked."""
        forms: set[Form] = set()
        if self.tokens:
            forms |= {"text", "prior", "letter", "generate"}
        if self.top_logprobs:
            forms.add("letter")
        if self.chat:
            forms.add("generate")
        if self.choice_by:
            forms.add("choice")
        return frozenset(forms)


def constrain(choice_by: str, choices: tuple[str, ...]) -> Body:
    """The part of a request body that constrains the answer to choices."""
    if choice_by == "structured_outputs":
        return {"structured_outputs": {"choice": list(choices)}}
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def _answer_text(client: Client, route: str, body: Body) -> str | None:
    """The text the server answers, or None if it refuses."""
    try:
        return client.complete(route, body).choices[0].written
    except (RefusedError, TooLongError):
        return None


def are_float32(logprobs: Iterable[float]) -> bool | None:
    """Whether log-probabilities of one distribution come from float32 logits; None if too few values differ.

    Logits in half precision (except those near 0) are multiples of 2^-12, and so are the differences of their
    log-probabilities. Of float32 logits, one difference in ten is as near to a multiple.
    """
    values = set(logprobs)
    if len(values) < _FEWEST:
        return None

    def on_the_grid(origin: float) -> int:
        steps = [(origin - other) / _STEP for other in values]
        return sum(abs(step - round(step)) < _NEAR for step in steps)

    # Any value may be one of those near 0, so each is tried as the origin of the grid.
    return max(map(on_the_grid, values)) < len(values) / 2


def _first_tokens(client: Client, model: str, token: int) -> Mapping[str, float]:
    """Log-probabilities of a token and its neighbours in the vocabulary; empty if chosen tokens are not returned."""
    begin = max(0, token - TOP + 1)
    tokens = list(range(begin, begin + TOP))
    body: Body = {
        "model": model,
        "prompt": [[token]],
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 1,
        "logprob_token_ids": tokens,
        "return_tokens_as_token_ids": True,
    }
    try:
        returned = client.complete(COMPLETIONS, body).choices[0].first_tokens
    except (RefusedError, TooLongError):
        return {}
    names = [f"token_id:{token}" for token in tokens]
    return {name: returned[name] for name in names} if set(names) <= set(returned) else {}


def _chats(client: Client, model: str) -> tuple[bool, int]:
    """Whether it has a chat route, and how many top log-probabilities it returns there."""
    body: Body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 1,
        "temperature": 0.0,
    }
    for top in (TOP, 5):
        try:
            answer = client.complete(CHAT, {**body, "logprobs": True, "top_logprobs": top})
            return True, len(answer.choices[0].first_tokens)
        except (RefusedError, TooLongError):
            continue
    return _answer_text(client, CHAT, body) is not None, 0


def _choice_by(client: Client, model: str) -> Literal["", "structured_outputs", "json_schema"]:
    body: Body = {
        "model": model,
        "messages": [{"role": "user", "content": "What is two and two?"}],
        "max_tokens": 24,
        "temperature": 0.0,
    }
    text = _answer_text(client, CHAT, {**body, **constrain("structured_outputs", _WORDS)})
    if text is not None and text.strip() in _WORDS:
        return "structured_outputs"
    text = _answer_text(client, CHAT, {**body, **constrain("json_schema", _WORDS)})
    if text is not None and any(f'"{word}"' in text for word in _WORDS):
        return "json_schema"
    return ""


def served_as(client: Client, model: str) -> ServedModel:
    """The server's own entry of a model; an adapter's entry inherits its length from its base."""
    served = {entry.id: entry for entry in client.models()}
    if model not in served:
        raise MedctxError(
            f"The server {client.url} does not serve {model!r}; it serves {', '.join(sorted(served)) or 'nothing'}."
        )
    entry = served[model]
    base = served.get(entry.parent or "")
    return entry.model_copy(update={"max_model_len": entry.positions or (base.positions if base else None)})


def probe(client: Client, model: str, token: int) -> Abilities:
    """Test everything an exam might need; ``token`` is any token of the model's vocabulary."""
    entry = served_as(client, model)
    try:
        tokens = _first_tokens(client, model, token)
        chat, top = _chats(client, model)
        choice_by = _choice_by(client, model) if chat else ""
    except BusyError as error:
        raise MedctxError(f"The server {client.url} does not answer questions ({error}); try again later.") from None
    return Abilities(
        positions=entry.positions or 0,
        tokens=bool(tokens),
        float32_logits=are_float32(tokens.values()),
        chat=chat,
        top_logprobs=top,
        choice_by=choice_by,
    )
