"""Finds out by test requests which forms of a question a server supports, and how it wants to be asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field, JsonValue

from medctx.errors import MedctxError
from medctx.schemas.records import Form, Record
from medctx_eval.engines.answers import ServedModel
from medctx_eval.engines.client import CHAT, COMPLETIONS, PATHS, Body, Client, server_version
from medctx_eval.engines.failures import BusyError, RefusedError, TooLongError
from medctx_eval.engines.server_facts import ServerFacts, server_facts

TOP = 20
TEST_TOKENS = 16
"""Token limit of a test answer: some models refuse a limit that leaves no room for an answer."""
CHOICE_TEST_TOKENS = 96
SHOWN_NAMES = 20
NO_MODEL = "medctx-no-such-model"
"""A name that no server serves: one that answers to it answers to any name."""
_STEP, _NEAR, _FEWEST = 2.0**-12, 0.05, 8
_WORDS = ("umbrella", "lantern")
"""No model would answer these by itself: only a server that enforces choices returns one of them."""

TokenLimitKey = Literal["max_tokens", "max_completion_tokens"]
ChoiceField = Literal["", "structured_outputs", "json_schema"]


class Dialect(Record):
    """How a server wants a chat request to be written.

    Attributes:
        limit_key: The field that limits the tokens of an answer.
        temperature: The lowest temperature it accepts; None if it accepts none and samples as it likes.
    """

    limit_key: TokenLimitKey = "max_tokens"
    temperature: float | None = 0.0

    def body(self, model: str, message: str, max_tokens: int) -> Body:
        """The body of a chat request with one user message."""
        body: Body = {"model": model, "messages": [{"role": "user", "content": message}], self.limit_key: max_tokens}
        return body if self.temperature is None else {**body, "temperature": self.temperature}


_DIALECTS = [
    Dialect(limit_key=key, temperature=temperature)
    for temperature in (0.0, 0.01, None)
    for key in ("max_tokens", "max_completion_tokens")
]


class Abilities(Record):
    """What a server supports.

    Attributes:
        facts: What the server says of the model: the length of its context, where its files are.
        tokens: Whether it takes prompts as token ids and returns the log-probabilities of chosen tokens.
        paths: Whether it reads all tokens of a continuation in one request (a server that medctx started does).
        float32_logits: Whether logits are float32; None if unknown.
        dialect: How chat requests are written; None if it has no chat route.
        top_logprobs: How many of the likeliest first tokens a chat answer lists.
        choice_by: By which request field answers are constrained to choices.
        refusals: What the server said to the test requests it refused.
        refused: What it said where a form is not possible, by the form.
        thinks: Whether the server shows that the model thinks before it answers.
        sample: The model's answer to the test question, cut off after a few tokens.
        answers_as: The model name in its answers; "" if it states none.
        fields: What the server says of the model in its list.
        version: Version of the server; "" if unknown.
    """

    facts: ServerFacts = ServerFacts()
    tokens: bool = False
    paths: bool = False
    float32_logits: bool | None = None
    dialect: Dialect | None = None
    top_logprobs: int = 0
    choice_by: ChoiceField = ""
    refusals: tuple[str, ...] = ()
    refused: dict[Form, str] = Field(default_factory=dict)
    thinks: bool = False
    sample: str = ""
    answers_as: str = ""
    fields: dict[str, JsonValue] = Field(default_factory=dict)
    version: str = ""

    @property
    def forms(self) -> frozenset[Form]:
        """Forms in which a question can be asked."""
        forms: set[Form] = set()
        if self.tokens:
            forms |= {"text", "prior", "letter", "generate"}
        if self.top_logprobs:
            forms.add("letter")
        if self.dialect is not None:
            forms.add("generate")
        if self.choice_by:
            forms.add("choice")
        return frozenset(forms)


def constrain(choice_by: ChoiceField, choices: tuple[str, ...]) -> Body:
    """The part of a request body that constrains the answer to choices."""
    if choice_by == "structured_outputs":
        return {"structured_outputs": {"choice": list(choices)}}
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    }


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


class _Tests:
    """Test requests to one server about one model; refusals are kept to be quoted."""

    def __init__(self, client: Client, model: str) -> None:
        self.client, self._model = client, model
        self.refusals: list[str] = []
        self.refused: dict[Form, str] = {}
        self.answers_as = ""
        self.thinks = False
        self.sample = ""

    def first_tokens(self, token: int) -> Mapping[str, float]:
        """Log-probabilities of a token and its neighbours in the vocabulary; empty if they are not returned."""
        begin = max(0, token - TOP + 1)
        tokens = list(range(begin, begin + TOP))
        body: Body = {
            "model": self._model,
            "prompt": [[token]],
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": 1,
            "logprob_token_ids": tokens,
            "return_tokens_as_token_ids": True,
        }
        try:
            answer = self.client.complete(COMPLETIONS, body)
        except (RefusedError, TooLongError) as error:
            self.refused["text"] = str(error)
            return {}
        self.answers_as = answer.model or ""
        returned = answer.choices[0].first_tokens
        names = [f"token_id:{number}" for number in tokens]
        return {name: returned[name] for name in names} if set(names) <= set(returned) else {}

    def dialect(self) -> Dialect | None:
        """The first way of writing a chat request that the server accepts."""
        for dialect in _DIALECTS:
            try:
                answer = self.client.complete(CHAT, dialect.body(self._model, "Hello", TEST_TOKENS))
            except (RefusedError, TooLongError) as error:
                self.refusals += [str(error)] if str(error) not in self.refusals else []
                if isinstance(error, RefusedError) and error.status in {401, 403, 404, 405}:
                    return None
                continue
            self.answers_as = answer.model or self.answers_as
            self.thinks, self.sample = answer.thinks, answer.choices[0].written
            return dialect
        return None

    def top_logprobs(self, dialect: Dialect) -> int:
        """How many top log-probabilities a chat answer lists."""
        for top in (TOP, 5):
            body = {**dialect.body(self._model, "Hello", 1), "logprobs": True, "top_logprobs": top}
            try:
                return self.client.complete(CHAT, body).choices[0].listed_tokens
            except (RefusedError, TooLongError) as error:
                self.refused["letter"] = str(error)
        return 0

    def _constrained(self, dialect: Dialect, choice_by: ChoiceField) -> str:
        body = {
            **dialect.body(self._model, "What is two and two?", CHOICE_TEST_TOKENS),
            **constrain(choice_by, _WORDS),
        }
        try:
            return self.client.complete(CHAT, body).choices[0].written
        except (RefusedError, TooLongError) as error:
            self.refused["choice"] = str(error)
            return ""

    def choice_by(self, dialect: Dialect) -> ChoiceField:
        """The request field by which the server constrains answers."""
        if self._constrained(dialect, "structured_outputs").strip() in _WORDS:
            return "structured_outputs"
        try:
            answer = json.loads(self._constrained(dialect, "json_schema"))
        except (ValueError, RecursionError):
            return ""
        return "json_schema" if isinstance(answer, dict) and answer.get("answer") in _WORDS else ""


def _entry_of(model: str, listed: Sequence[ServedModel]) -> ServedModel | None:
    """The entry of a model, which some servers list as ``models/NAME`` (Gemini) or ``NAME:latest`` (Ollama)."""
    by_name = {entry.id: entry for entry in listed}
    names = (model, f"models/{model}", f"{model}:latest")
    return next((by_name[name] for name in names if name in by_name), None)


def _answers_to(client: Client, model: str) -> bool:
    """Whether the server takes a chat request for this model, or refuses it for another reason than the model."""
    try:
        client.post(CHAT, Dialect().body(model, "Hello", TEST_TOKENS))
    except RefusedError as error:
        return error.status in {400, 422} and model not in str(error)
    except (BusyError, TooLongError):
        return False
    return True


def _is_served_unlisted(client: Client, model: str) -> bool:
    """Whether the server answers to a model that it does not list, and not to any name whatsoever."""
    return _answers_to(client, model) and not _answers_to(client, NO_MODEL)


def listed_names(names: Iterable[str]) -> str:
    """Names of models in order, for a message: services list hundreds, of which the first are enough."""
    ordered = sorted(names)
    more = f" and {len(ordered) - SHOWN_NAMES:,} more" if len(ordered) > SHOWN_NAMES else ""
    return ", ".join(ordered[:SHOWN_NAMES]) + more


def served_as(client: Client, model: str) -> ServedModel | None:
    """The server's own entry of a model; None if it has no list of models.

    An adapter's entry inherits its length from its base.
    """
    listed = client.models()
    if listed is None:
        return None
    served = {entry.id: entry for entry in listed}
    entry = _entry_of(model, listed)
    if entry is None:
        if any(fnmatchcase(model, name) for name in served) or _is_served_unlisted(client, model):
            return None
        raise MedctxError(
            f"The server {client.url} does not serve {model!r}; it serves {listed_names(served) or 'nothing'}."
        )
    base = served.get(entry.parent or "")
    if entry.positions or base is None or not base.positions:
        return entry
    return entry.model_copy(update={"fields": {**entry.fields, "max_model_len": base.positions}})


def probe(client: Client, model: str, token: int) -> Abilities:
    """Test everything an exam might need; ``token`` is any token of the model's vocabulary."""
    entry = served_as(client, model)
    if entry is None:
        client.find_base(CHAT, Dialect().body(model, "Hello", TEST_TOKENS))
    tests = _Tests(client, model)
    try:
        tokens = tests.first_tokens(token)
        dialect = tests.dialect()
        if dialect is not None:
            client.watch_with(CHAT, dialect.body(model, "Hello", TEST_TOKENS))
        elif tokens:
            client.watch_with(COMPLETIONS, {"model": model, "prompt": [[token]], "max_tokens": 1})
        top = tests.top_logprobs(dialect) if dialect else 0
        choice_by = tests.choice_by(dialect) if dialect else ""
    except BusyError as error:
        advice = "" if client.sends_key else ", or set OPENAI_API_KEY (api_key_variable) if it needs a key"
        raise MedctxError(
            f"The server {client.url} does not answer questions ({error}); try again later{advice}."
        ) from None
    return Abilities(
        facts=server_facts(client.page if client.is_plain else None, model, entry),
        tokens=bool(tokens),
        paths=bool(tokens) and client.is_plain and client.page(PATHS) == {"route": PATHS},
        float32_logits=are_float32(tokens.values()),
        dialect=dialect,
        top_logprobs=top,
        choice_by=choice_by,
        refusals=tuple(tests.refusals),
        refused=tests.refused,
        thinks=tests.thinks,
        sample=tests.sample,
        answers_as=tests.answers_as,
        fields=entry.lasting_fields if entry else {},
        version=server_version(client),
    )
