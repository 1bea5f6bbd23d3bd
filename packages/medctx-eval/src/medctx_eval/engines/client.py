"""One OpenAI-compatible server over HTTP: what it answers, when to ask it again, and when it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from medctx.errors import MedctxError
from medctx.schemas.records import Record

TIMEOUT_S = 600.0
_ANY: TypeAdapter[object] = TypeAdapter(object)
ATTEMPTS = 5
LONGEST_WAIT_S = 60.0

_TOO_LONG = ("context length", "context_length", "maximum length", "max_model_len", "too long", "too many tokens")

_JSON = {"Content-Type": "application/json"}

Body = dict[str, object]


class BusyError(Exception):
    """The server was busy or gone for a moment; ``wait_s`` is how long it asked to be left alone."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TooLongError(Exception):
    """The server says the prompt is longer than it takes."""


class RefusedError(MedctxError):
    """The server refused a request for another reason."""


class _Open(Record):
    """A part of an answer; fields that are not read here are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Details(_Open):
    cached_tokens: int | None = None


class ServerUsage(_Open):
    """Tokens a request took."""

    prompt_tokens: int = 0
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _TopLogprob(_Open):
    token: str
    logprob: float


class _TokenLogprob(_Open):
    top_logprobs: tuple[_TopLogprob, ...] = ()


class _Logprobs(_Open):
    top_logprobs: tuple[dict[str, float] | None, ...] | None = None
    content: tuple[_TokenLogprob, ...] | None = None


class _Message(_Open):
    content: str | None = None


class Choice(_Open):
    """One completion: of ``/v1/completions`` (``text``) or of ``/v1/chat/completions`` (``message``)."""

    index: int = 0
    text: str = ""
    message: _Message = _Message()
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None

    @property
    def written(self) -> str:
        """The text, from either kind."""
        return self.text or self.message.content or ""

    @property
    def first_tokens(self) -> Mapping[str, float]:
        """Log-probabilities of first tokens by how the server writes them."""
        if self.logprobs is None:
            return {}
        if self.logprobs.top_logprobs:
            return self.logprobs.top_logprobs[0] or {}
        listed = self.logprobs.content[0].top_logprobs if self.logprobs.content else ()
        return {entry.token: entry.logprob for entry in listed}


class Answer(_Open):
    """What a completions route answers, choices in the order of their prompts."""

    choices: tuple[Choice, ...] = Field(min_length=1)
    usage: ServerUsage | None = None


class ServedModel(_Open):
    """One entry of ``/v1/models``; servers name the length of their context differently."""

    id: str
    parent: str | None = None
    root: str | None = None
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None

    @property
    def positions(self) -> int | None:
        """Longest sequence, where the server says it."""
        return self.max_model_len or self.context_length or self.context_window


class _Models(_Open):
    data: tuple[ServedModel, ...]


def _wait(state: RetryCallState) -> float:
    """Growing waits with jitter, and never shorter than the server asked for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, BusyError) else 0.0
    return max(min(asked, LONGEST_WAIT_S), wait_exponential_jitter(initial=0.5, max=20)(state))


def _seconds(header: str | None) -> float:
    return float(header) if header and header.replace(".", "", 1).isdigit() else 0.0


class Client:
    """The connection to one server. Safe to use from several threads."""

    def __init__(self, url: str, api_key: str = "", timeout_s: float = TIMEOUT_S) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # People give the address with and without the version.
        self.url = url.rstrip("/").removesuffix("/v1")
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)

    def models(self) -> Sequence[ServedModel]:
        """What the server serves; raises MedctxError where nobody answers as such a server does."""
        try:
            answer = self.http.get("/v1/models")
        except httpx.HTTPError as error:
            raise MedctxError(
                f"No server answers at {self.url} ({type(error).__name__}); start it or correct the address."
            ) from None
        if answer.status_code != 200:
            raise MedctxError(
                f"{self.url}/v1/models answers {answer.status_code}; is it an OpenAI-compatible server, and is the "
                "key right?"
            )
        try:
            return _Models.model_validate_json(answer.content).data
        except ValidationError:
            raise MedctxError(
                f"{self.url}/v1/models does not list models; is it an OpenAI-compatible server?"
            ) from None

    def _once(self, route: str, body: Body) -> bytes:
        try:
            # Prompts are thousands of token ids: pydantic writes them eight times as fast as the standard library.
            answer = self.http.post(route, content=_ANY.dump_json(body), headers=_JSON)
        except httpx.HTTPError as error:
            raise BusyError(f"{type(error).__name__} from {self.url}") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            wait_s = _seconds(answer.headers.get("Retry-After"))
            raise BusyError(f"{answer.status_code} from {self.url}: {answer.text[:200]}", wait_s)
        if answer.status_code != 200:
            said = answer.text[:300]
            if answer.status_code in {400, 413, 422} and any(sign in said.lower() for sign in _TOO_LONG):
                raise TooLongError(said)
            raise RefusedError(f"The server {self.url} refused a request to {route} ({answer.status_code}): {said}")
        return answer.content

    def post(self, route: str, body: Body) -> bytes:
        """The content of the answer; tries again up to :data:`ATTEMPTS` times before it raises BusyError."""
        retrying = Retrying(
            retry=retry_if_exception_type(BusyError), stop=stop_after_attempt(ATTEMPTS), wait=_wait, reraise=True
        )
        return retrying(self._once, route, body)

    def complete(self, route: str, body: Body) -> Answer:
        """Post to a completions route."""
        content = self.post(route, body)
        try:
            answer = Answer.model_validate_json(content)
        except ValidationError:
            raise RefusedError(
                f"The server {self.url} answers {route} with something that is no completion: {content[:200]!r}."
            ) from None
        return answer.model_copy(update={"choices": tuple(sorted(answer.choices, key=lambda choice: choice.index))})

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
