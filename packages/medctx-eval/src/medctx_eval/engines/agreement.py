"""Whether a server renders prompts as the tokenizer at hand does."""

from __future__ import annotations

from pydantic import ValidationError

from medctx.schemas.records import Record
from medctx_eval.engines.client import BusyError, Client, RefusedError, TooLongError
from medctx_eval.prompting.prompt import Tokenizer

_QUESTION = "Which of these is 42 °C: A. hot, B. cold?"


class _Tokens(Record):
    tokens: tuple[int, ...]


def _server_tokens(client: Client, model: str) -> tuple[int, ...] | None:
    """How the server tokenises the question; nothing where it does not say."""
    messages = [{"role": "user", "content": _QUESTION}]
    try:
        content = client.post("/tokenize", {"model": model, "messages": messages, "add_generation_prompt": True})
        return _Tokens.model_validate_json(content, extra="ignore").tokens
    except (BusyError, RefusedError, TooLongError, ValidationError):
        return None


def agree(client: Client, model: str, tokenizer: Tokenizer) -> bool | None:
    """Whether the tokenizer is the served model's; nothing where the server does not say how it tokenises."""
    served = _server_tokens(client, model)
    if served is None:
        return None
    messages = [{"role": "user", "content": _QUESTION}]
    rendered = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    return tuple(tokenizer.encode(rendered, add_special_tokens=False)) == served
