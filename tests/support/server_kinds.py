"""Servers as their makers build them, as far as an exam notices: what they refuse, list and say of themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.support.scripted_server import PROBES, Json, Question, Reaction, ScriptedServer, completion, says

Check = Callable[[Json], Reaction | None]
TEXT = "The answer is B."


def stream(text: str) -> Reaction:
    """An answer as events, each with a part of the text."""
    parts = [{"delta": {"role": "assistant"}}, *({"delta": {"content": char}} for char in text)]
    events = [{"model": "m", "choices": [{"index": 0, "finish_reason": None, **part}]} for part in parts]
    events.append({"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [*map(json.dumps, events), "[DONE]"]
    return Reaction("".join(f"data: {line}\n\n" for line in lines).encode())


def refuses(*fields: str, status: int = 400, words: str = "unsupported parameter: {}") -> Check:
    """Refuse a request with one of these fields."""

    def check(body: Json) -> Reaction | None:
        field = next((field for field in fields if field in body), "")
        return says({"error": {"message": words.format(field)}}, status) if field else None

    return check


def first(*checks: Check) -> Check:
    """The first refusal of several checks."""
    return lambda body: next((refusal for check in checks if (refusal := check(body))), None)


def temperature_above_0(body: Json) -> Reaction | None:
    return says({"error": "`temperature` must be strictly positive"}, 422) if body.get("temperature") == 0 else None


def _held(body: Json) -> str:
    """What a server that follows a JSON schema says: the second of its choices, or the first of several words."""
    choices = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
    return json.dumps({"answer": "B" if "B" in choices else choices[0]})


@dataclass(frozen=True)
class Kind:
    """A kind of server.

    Attributes:
        mode: The mode that ``auto`` finds.
        said: What is said of it, in the lines on stderr.
        base: The path below which its routes are.
        address: What the user types behind host and port.
        model: The name the user types.
        entry: What its list says of the model beside its name.
        pages: Further paths and what they answer.
        check: What it refuses.
        schemas: Whether it follows a JSON schema.
        probs: Whether it lists the likeliest tokens.
        answer: What it answers, given a text.
        key: The header that the key must come in.
    """

    mode: str
    said: tuple[str, ...] = ()
    base: str = "/v1"
    address: str = ""
    model: str = "m"
    entry: Mapping[str, object] = field(default_factory=dict)
    pages: Mapping[str, Reaction] = field(default_factory=dict)
    check: Check = lambda body: None
    schemas: bool = False
    probs: bool = False
    answer: Callable[[str], Reaction] = lambda text: says(completion(text))
    key: str = "Authorization"

    def build(self, server: ScriptedServer) -> None:
        """Make a scripted server one of this kind."""

        def check(body: Json) -> Reaction | None:
            refusal = self.check(body)
            if refusal is None and "response_format" in body and self.schemas:
                return self.answer(_held(body))
            if refusal is None and body.get("logprobs") and self.probs:
                top = [{"token": letter, "logprob": -1.0 - n} for n, letter in enumerate("BA")]
                return says(completion("B", logprobs={"content": [{"top_logprobs": top}]}))
            if refusal is None and body["messages"][-1]["content"] in PROBES:
                return self.answer(TEXT)
            return refusal

        def react(question: Question) -> Reaction | None:
            return self.answer(TEXT)

        server.base, server.entry = self.base, dict(self.entry)
        server.pages |= self.pages
        server.check_body, server.react = check, react


def _no_page() -> Reaction:
    return says({"error": "no such route"}, 404)


def thinking(text: str) -> Reaction:
    details = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 8}}
    return says({**completion(text), "usage": {"prompt_tokens": 400, **details}})


def listed(*names: str, status: int = 200, **fields: object) -> Reaction:
    return says({"object": "list", "data": [{"id": name, "object": "model", **fields} for name in names]}, status)


KINDS: dict[str, Kind] = {
    "OpenAI, reasoning": Kind(
        mode="generate",
        said=("mode: generate", "thinks before it answers", "answer_tokens: 8,192", "length: not stated"),
        check=first(
            refuses("max_tokens", words="Unsupported parameter: '{}'. Use 'max_completion_tokens' instead."),
            refuses("temperature", "logprobs", words="Unsupported value: '{}' does not support 0 with this model."),
        ),
        schemas=True,
        answer=thinking,
    ),
    "OpenAI": Kind(
        mode="choice", said=("mode: choice", "by json_schema", "tokenizer: bytes"), schemas=True, probs=True
    ),
    "llama.cpp": Kind(
        mode="choice",
        said=("length: 8,192 tokens, stated by the server (/props)", "mode: choice", "by json_schema"),
        entry={"aliases": ["m"], "tags": [], "meta": {"n_ctx": 8192, "n_ctx_train": 131072}},
        answer=lambda text: says(completion(text.replace(": ", " :\n\n                    "))),
        pages={"/props": says({"default_generation_settings": {"n_ctx": 8192}, "chat_template": "..."})},
        schemas=True,
        probs=True,
    ),
    "Ollama": Kind(
        mode="choice",
        said=("length: 4,096 tokens, stated by the server (/api/ps)",),
        pages={
            "/v1/models": listed("m:latest", owned_by="library"),
            "/api/ps": says({"models": [{"name": "m:latest", "context_length": 4096}]}),
        },
        schemas=True,
    ),
    "TGI": Kind(
        mode="generate",
        said=("length: 4,096 tokens, stated by the server (/info)", "mode: generate", "grammar"),
        pages={"/info": says({"model_id": "m", "max_input_tokens": 4095, "max_total_tokens": 4096})},
        check=first(
            temperature_above_0,
            refuses("response_format", "structured_outputs", words="grammar is off: {}", status=422),
        ),
        probs=True,
    ),
    "SGLang": Kind(
        mode="choice",
        said=("length: 32,768 tokens, stated by the server (list of models)",),
        entry={"max_model_len": 32768, "root": "m"},
        schemas=True,
        probs=True,
    ),
    "LiteLLM": Kind(
        mode="choice",
        said=("length: 200,000 tokens, stated by the server (/model/info)",),
        model="claude/m",
        pages={
            "/v1/models": listed("claude/*"),
            "/model/info": says({"data": [{"model_name": "claude/m", "model_info": {"max_input_tokens": 200000}}]}),
        },
        check=refuses("logprobs", "structured_outputs", words="litellm.UnsupportedParamsError: {}"),
        schemas=True,
    ),
    "transformers serve": Kind(
        mode="generate",
        said=("Unexpected fields", "length: not stated"),
        pages={"/v1/models": Reaction(b"Internal Server Error", 500)},  # without a cache of the hub
        check=refuses("structured_outputs", words="Unexpected fields in the request: {}", status=422),
        answer=lambda text: says(completion(text, model="m@main")),
    ),
    "transformers serve, streamed": Kind(
        mode="generate",
        said=("Unexpected keys", "length: not stated"),
        check=refuses(
            "structured_outputs", "response_format", "logprobs", words="Unexpected keys in the request: {}", status=422
        ),
        answer=stream,
    ),
    "Gemini": Kind(
        mode="choice",
        base="/v1beta/openai",
        address="/v1beta/openai/",
        pages={"/v1beta/openai/models": listed("models/m", "models/other")},
        check=refuses("logprobs", words="Logprobs is not enabled for {}"),
        schemas=True,
    ),
    "Zhipu": Kind(
        mode="generate",
        base="/api/paas/v4",
        address="/api/paas/v4",
        pages={"/api/paas/v4/models": _no_page()},
        check=first(
            temperature_above_0, refuses("response_format", "structured_outputs", "logprobs", words="1210 {}")
        ),
    ),
    "Azure": Kind(
        mode="choice",
        base="/openai/deployments/m",
        address="/openai/deployments/m?api-version=2024-10-21",
        pages={"/openai/deployments/m/models": _no_page()},
        schemas=True,
        key="api-key",
    ),
    "LitServe": Kind(
        mode="generate",
        pages={"/v1/models": _no_page()},
        answer=lambda text: says(completion(text, tokens=0)),
    ),
    "no list of models": Kind(mode="choice", pages={"/v1/models": _no_page()}, schemas=True),
    "a list that is forbidden": Kind(mode="choice", pages={"/v1/models": says({"error": "no"}, 403)}, schemas=True),
    "a list that is broken": Kind(mode="choice", pages={"/v1/models": says({"error": "oh"}, 500)}, schemas=True),
    "a list that is a web page": Kind(mode="choice", pages={"/v1/models": Reaction(b"<html>")}, schemas=True),
    "a list that is cut off": Kind(mode="choice", pages={"/v1/models": Reaction(None)}, schemas=True),
    "a plain list": Kind(
        mode="choice",
        said=("length: 1,024 tokens, stated by the server (list of models)",),
        pages={"/v1/models": says([{"id": "m", "context_length": 1024}])},
        schemas=True,
    ),
    "content as parts": Kind(
        mode="generate",
        said=("thinks before it answers",),
        answer=lambda text: says(
            completion() | {"choices": [{"index": 0, "message": {"content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "The answer is A."}]},
                {"type": "text", "text": text},
            ]}}]}
        ),
    ),
}  # fmt: skip
