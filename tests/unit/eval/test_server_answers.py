"""Answers of servers whose fields are not of the kind that others send."""

from __future__ import annotations

import json

import pytest
from pydantic import JsonValue, ValidationError

from medctx_eval.engines.answers import read_answer
from medctx_eval.engines.server_facts import server_facts


def answer(message: JsonValue = "B", **usage: JsonValue) -> bytes:
    """An answer of the chat route."""
    return json.dumps({"choices": [{"message": {"content": message}}], "usage": usage}).encode()


@pytest.mark.parametrize("count", ["n/a", -1, 10**400, [3], None])
def test_a_count_that_is_no_number_is_unknown(count: JsonValue) -> None:
    usage = read_answer(answer(prompt_tokens=count, completion_tokens=count)).usage
    assert usage is not None and (usage.prompt_tokens, usage.completion_tokens) == (None, None)


def test_no_prompt_has_no_token_but_an_answer_may() -> None:
    usage = read_answer(answer(prompt_tokens=0, completion_tokens=0)).usage
    assert usage is not None and (usage.prompt_tokens, usage.completion_tokens) == (None, 0)


@pytest.mark.parametrize("kind", ["thinking", ["text"], {"text": 1}])
def test_only_text_parts_are_the_answer(kind: JsonValue) -> None:
    parts: JsonValue = [{"type": kind, "text": "A"}, {"type": "text", "text": "B"}]
    assert read_answer(answer(parts)).choices[0].written == "B"


def test_an_event_nested_too_deeply_is_no_answer() -> None:
    with pytest.raises(ValidationError):
        read_answer(b"data: " + b"[" * 200_000 + b"\n")


def test_names_that_are_no_texts_are_not_those_of_the_model() -> None:
    page: JsonValue = {"models": [{"name": ["m"]}, {"name": "m", "context_length": 512}], "data": [{"id": {}}]}
    assert server_facts(lambda route: page, "m", None).length == 512
