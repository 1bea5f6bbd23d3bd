"""What an OpenAI-compatible server answers, as far as an exam reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from medctx.io.masking import mask_secrets
from medctx.schemas.records import Record

_TEXT_PARTS = frozenset({"text", "output_text"})
_CONTEXT_KEYS = (
    "max_model_len",
    "context_length",
    "context_window",
    "max_context_length",
    "max_input_tokens",
    "inputTokenLimit",
)
_CHANGING_KEYS = frozenset({"created", "permission"})
"""Fields of a model's entry that some servers change with every request."""

_FILTERED = ("content_filter", "safety", "recitation", "sensitive", "blocklist", "prohibited")
_CUT = ("max_token", "max_output", "max_length", "model_length", "token_limit", "truncat", *_FILTERED)
_FAILED = (
    "error",
    "abort",
    "cancel",
    "timeout",
    "time_out",
    "fail",
    "interrupt",
    "overload",
    "insufficient",
    "malformed",
)
"""The three hold parts of finish reasons: vLLM, TGI, llama.cpp, OpenAI, Anthropic, Gemini, DeepSeek, Zhipu, others."""


class _Answer(Record):
    """A part of an answer; fields that are not read here are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _CachedTokens(_Answer):
    cached_tokens: int | None = None


class _CompletionDetails(_Answer):
    reasoning_tokens: int | None = None


class ServerUsage(_Answer):
    """Tokens of one request as the server counts them; None where it does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _CachedTokens | None = None
    completion_tokens_details: _CompletionDetails | None = None

    @field_validator("prompt_tokens", "completion_tokens", mode="before")
    @classmethod
    def _counted(cls, value: object) -> object:
        """Read a count that is no number as None: it must not make the answer unusable."""
        try:
            count = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return None
        return int(count) if 0 <= count < float("inf") else None

    @field_validator("prompt_tokens")
    @classmethod
    def _at_least_one(cls, value: int | None) -> int | None:
        """Read 0 as None: servers that do not count say 0, and every prompt has a token."""
        return value or None


class _TopLogprob(_Answer):
    token: str
    logprob: float


class _TokenLogprob(_Answer):
    top_logprobs: tuple[_TopLogprob, ...] = ()


class _Logprobs(_Answer):
    top_logprobs: tuple[dict[str, float] | None, ...] | None = None
    content: tuple[_TokenLogprob, ...] | None = None


class _Message(_Answer):
    content: str | tuple[str | dict[str, JsonValue], ...] | None = None
    reasoning_content: JsonValue = None
    reasoning: JsonValue = None
    thinking: JsonValue = None

    @property
    def has_thought(self) -> bool:
        """Whether the server shows that the model thought, apart from the answer."""
        parts = self.content if isinstance(self.content, tuple) else ()
        apart = any(isinstance(part, dict) and not _is_text(part) for part in parts)
        return apart or bool(self.reasoning_content or self.reasoning or self.thinking)

    @property
    def text(self) -> str:
        """The text parts of the answer; parts with reasoning are left out."""
        if not isinstance(self.content, tuple):
            return self.content or ""
        texts = (part if isinstance(part, str) else _part_text(part) for part in self.content)
        return "".join(texts)


def _is_text(part: Mapping[str, JsonValue]) -> bool:
    return str(part.get("type", "text")) in _TEXT_PARTS


def _part_text(part: Mapping[str, JsonValue]) -> str:
    text = part.get("text") if _is_text(part) else ""
    return text if isinstance(text, str) else ""


class Choice(_Answer):
    """One completion: ``text`` of the completions route, ``message`` of the chat route."""

    index: int = 0
    text: str | None = None
    message: _Message = _Message()
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None
    error: JsonValue = None

    @property
    def is_cut(self) -> bool:
        """Whether the answer was ended by a limit or a filter and not by the model, in the words of many servers."""
        reason = (self.finish_reason or "").lower()
        return reason == "length" or any(word in reason for word in _CUT)

    @property
    def is_filtered(self) -> bool:
        """Whether a filter ended the answer."""
        return any(word in (self.finish_reason or "").lower() for word in _FILTERED)

    @property
    def failure(self) -> str:
        """Why this is no answer of the model; "" if it is one."""
        if self.error:
            return f"the error {mask_secrets(str(self.error))[:200]!r}"
        reason = (self.finish_reason or "").lower()
        return f"the finish reason {self.finish_reason!r}" if any(word in reason for word in _FAILED) else ""

    @property
    def written(self) -> str:
        """The generated text, from either route."""
        return self.text or self.message.text

    @property
    def first_tokens(self) -> Mapping[str, float]:
        """Log-probabilities of first tokens, by the server's spelling of the token."""
        if self.logprobs is None:
            return {}
        if self.logprobs.top_logprobs:
            return self.logprobs.top_logprobs[0] or {}
        listed = self.logprobs.content[0].top_logprobs if self.logprobs.content else ()
        return {entry.token: entry.logprob for entry in listed}

    @property
    def path_tokens(self) -> Sequence[Mapping[str, float] | None]:
        """Log-probabilities at each position of a path, the last one after the prompt; None where not computed."""
        return (self.logprobs.top_logprobs if self.logprobs else None) or ()

    @property
    def listed_tokens(self) -> int:
        """How many first tokens are listed; two of them may be spelled alike."""
        listed = self.logprobs.content if self.logprobs is not None else None
        return len(listed[0].top_logprobs) if listed else len(self.first_tokens)


class Answer(_Answer):
    """The answer of a completions or chat route."""

    choices: tuple[Choice, ...] = Field(min_length=1)
    usage: ServerUsage | None = None
    model: str | None = None
    error: JsonValue = None

    @property
    def thinks(self) -> bool:
        """Whether the model thought before it answered, as far as the first completion shows.

        Servers that neither count nor show thoughts return no text at all if they are cut off in a thought.
        """
        choice, details = self.choices[0], self.usage.completion_tokens_details if self.usage else None
        counted = bool(details and details.reasoning_tokens)
        cut_off = choice.is_cut and not choice.is_filtered and not choice.written
        return counted or cut_off or choice.message.has_thought


def read_answer(content: bytes) -> Answer:
    """Parse an answer, also one that is streamed as events although it was asked for as a whole.

    Raises:
        ValidationError: If it is no answer.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.lstrip().startswith((b"data:", b"event:", b":")):
        content = json.dumps(_joined(content)).encode()
    try:
        return Answer.model_validate_json(content)
    except ValidationError:
        return Answer.model_validate_json(_storable(content))


def _storable(content: bytes) -> bytes:
    """Replace half surrogate pairs and bytes that are not UTF-8, which some models write, in JSON."""
    try:
        value = json.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return content
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _joined(content: bytes) -> dict[str, object]:
    """The whole answer that a stream of events carries, without log-probabilities; {} if it is not complete."""
    texts: dict[int, str] = {}
    choices: dict[int, dict[str, object]] = {}
    whole: dict[str, object] = {}
    for line in content.splitlines():
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return {}
        if not isinstance(event, dict) or "error" in event:
            return event if isinstance(event, dict) else {}
        whole |= {key: event[key] for key in ("model", "usage") if event.get(key)}
        events = event.get("choices") or ()
        for choice in events if isinstance(events, list) else ():
            if not isinstance(choice, dict) or not isinstance(number := choice.get("index", 0), int):
                return {}
            try:
                part = _Message.model_validate(choice.get("delta") or choice.get("message") or {}).text
            except ValidationError:
                return {}
            texts[number] = texts.get(number, "") + (part or str(choice.get("text") or ""))
            reason = choice.get("finish_reason") or choices.get(number, {}).get("finish_reason")
            choices[number] = {"index": number, "message": {"content": texts[number]}, "finish_reason": reason}
    complete = all(choice["finish_reason"] for choice in choices.values())
    return {**whole, "choices": list(choices.values())} if complete else {}


class ServedModel(_Answer):
    """One entry of ``/v1/models``."""

    id: str
    parent: str | None = None
    fields: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def positions(self) -> int | None:
        """Longest sequence in tokens, if the server states it."""
        lengths = [self.fields.get(key) for key in _CONTEXT_KEYS]
        return next((length for length in lengths if isinstance(length, int) and length > 0), None)

    @property
    def lasting_fields(self) -> dict[str, JsonValue]:
        """What the server says of the model, without fields that change from request to request."""
        return {key: value for key, value in self.fields.items() if key not in _CHANGING_KEYS}


class ModelList(_Answer):
    """The answer of ``/v1/models``."""

    data: tuple[ServedModel, ...]

    @model_validator(mode="before")
    @classmethod
    def _plain_list(cls, value: object) -> object:
        return {"data": value} if isinstance(value, list) else value

    @field_validator("data", mode="before")
    @classmethod
    def _keep_fields(cls, entries: object) -> object:
        if not isinstance(entries, Sequence):
            return entries
        return [entry | {"fields": entry} if isinstance(entry, dict) else entry for entry in entries]


def problem_of(answer: Answer, prompts: int, model: str = "") -> str:
    """What is wrong with an answer to ``prompts`` prompts; "" if nothing is. ``model``: the name it should state."""
    if model and answer.model and answer.model != model:
        return f"an answer of the model {answer.model!r} instead of {model!r}"
    indices = sorted(choice.index for choice in answer.choices)
    if len(indices) != prompts:
        return f"{len(indices)} choices for {prompts} prompt{'s' if prompts > 1 else ''}"
    if indices != list(range(prompts)):
        return f"choices with the indices {indices}"
    if answer.error:
        return f"the error {mask_secrets(str(answer.error))[:200]!r}"
    return next((failure for choice in answer.choices if (failure := choice.failure)), "")
