"""The connection to one OpenAI-compatible server over HTTP: its address, requests and their repetition."""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from medctx.errors import MedctxError
from medctx.fetch.http import http_client
from medctx.io.masking import MASK, SECRET_NAME, mask_secrets, register_secret, secrets_pattern
from medctx.process.progress import say
from medctx_eval.engines.answers import Answer, ModelList, ServedModel, problem_of, read_answer
from medctx_eval.engines.failures import (
    BusyError,
    RefusedError,
    ServerDownError,
    ServerHealth,
    TooLongError,
    is_loading,
    quote,
    refusal_of,
    retry_after,
)
from medctx_eval.engines.time_limits import GIVE_UP_S, TIMEOUT_S

ATTEMPTS = 5
MAX_WAIT_S = 60.0
MAX_ANSWER_BYTES = 2**28
LOADING_WAIT_S = 2.0
LIST_TIMEOUT_S = 30.0
"""Time limit of what a server says of itself: a list that never comes must not keep an exam waiting."""

CHAT = "chat/completions"
COMPLETIONS = "completions"
PATHS = "/medctx/path_logprobs"
"""The route that medctx adds to a vLLM server it starts (``vllm_route``)."""
_MODELS = "models"

_NO_ROUTE_STATUS = frozenset({404, 405, 501})
_JSON = {"Content-Type": "application/json"}
_ANY: TypeAdapter[object] = TypeAdapter(object)
_VALUE: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)

_ANSWERED = range(200, 300)
_REDIRECTED = range(300, 400)

Body = dict[str, object]


def _mask_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = mask_secrets(record.getMessage()), None
    return True


# They log addresses with user, password and query, and headers.
for _name in ("httpx", *(f"httpcore.{_part}" for _part in ("connection", "http11", "http2", "proxy", "socks"))):
    logging.getLogger(_name).addFilter(_mask_record)


def _is_loopback(url: httpx.URL) -> bool:
    try:
        return url.host == "localhost" or ip_address(url.host).is_loopback
    except ValueError:
        return False


def _connection(url: httpx.URL, api_key: str, timeout_s: float) -> httpx.Client:
    """An HTTP client; a server on this machine is never asked through a proxy."""
    key = api_key.strip()
    if not key.isascii():
        raise MedctxError("The API key contains characters other than ASCII; correct its environment variable.")
    # Azure takes keys in a header of its own wherever an API version is part of the address.
    headers = {"api-key": key} if "api-version" in url.params else {"Authorization": f"Bearer {key}"}
    headers = headers if key else {}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
    return http_client(str(url), direct=_is_loopback(url), headers=headers, timeout=timeout_s, limits=limits)


def _parse_url(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise MedctxError(f"{mask_secrets(address)!r} is not the address of a server; give http://host:port.")
    return url


def _secrets_of(url: httpx.URL, api_key: str) -> list[str]:
    """Secrets that are sent to a server: key, password and login, secret parameters.

    A user name is a word that may occur in an answer.
    """
    secrets = [api_key, *(value for name, value in url.params.multi_items() if SECRET_NAME.fullmatch(name))]
    if url.userinfo:
        login = f"{url.username}:{url.password}".encode()
        secrets += [url.password, b64encode(login).decode()]
    return secrets


class Client:
    """The connection to one server. Safe to use from several threads.

    Args:
        address: The server's address: ``http://host:port``, with or without ``/v1``, or any base address that the
            OpenAI SDK takes; a query such as ``?api-version=...`` is added to every request.
        api_key: Sent as a bearer token.
        timeout_s: Time limit of a whole answer.
        give_up_s: Seconds without any answer after which the server counts as down.
    """

    def __init__(
        self, address: str, api_key: str = "", timeout_s: float = TIMEOUT_S, give_up_s: float = GIVE_UP_S
    ) -> None:
        url = _parse_url(address)
        self._query = url.params
        path = url.path.rstrip("/")
        self._origin = url.copy_with(path="/", query=None, fragment=None)
        self._bases = [path, f"{path}/v1"] if path and not path.endswith("/v1") else [f"{path.removesuffix('/v1')}/v1"]
        if not path:
            self._bases.append("")
        self._base = self._bases[0]
        self._timeout_s = timeout_s
        secrets = _secrets_of(url, api_key.strip())
        for secret in secrets:
            register_secret(secret)
        self._secrets = secrets_pattern(secrets)
        self.sends_key, self._give_up_s = bool(api_key.strip()), give_up_s
        self.health = ServerHealth(give_up_s)
        self._model = ""
        self._ping: tuple[str, Body] | None = None
        self._http = _connection(url, api_key, timeout_s)

    @property
    def url(self) -> str:
        """The base address in use, without user, password and query."""
        plain = self._origin.copy_with(username=None, password=None)
        return mask_secrets(str(plain).rstrip("/") + self._base)

    @property
    def is_plain(self) -> bool:
        """Whether the base address is that of a server of models, with at most /v1 behind the port."""
        return self._base in {"", "/v1"}

    def _address(self, route: str, base: str | None = None) -> httpx.URL:
        base = self._base if base is None else base
        # Routes that begin with a slash are vLLM's own, beside /v1.
        path = f"{base.removesuffix('/v1')}{route}" if route.startswith("/") else f"{base}/{route}"
        return self._origin.copy_with(path=path).copy_merge_params(self._query)

    def get(self, route: str, base: str | None = None) -> httpx.Response:
        """GET a route; raises httpx.HTTPError without an answer."""
        limit = min(LIST_TIMEOUT_S, self._timeout_s)
        with self._http.stream("GET", self._address(route, base), timeout=limit) as response:
            try:
                content = self._read(response, time.monotonic() + limit)
            except BusyError as error:
                raise httpx.ReadTimeout(str(error)) from None
        return httpx.Response(response.status_code, content=content)

    def page(self, route: str) -> JsonValue:
        """The JSON value at a route; None without one."""
        try:
            response = self.get(route)
            return _VALUE.validate_json(response.content) if response.status_code == 200 else None
        except (httpx.HTTPError, ValidationError):
            return None

    def _list_when_loaded(self, base: str) -> httpx.Response:
        """GET the list of models, again as long as the server says that it is loading one."""
        deadline, is_said = time.monotonic() + self._give_up_s, False
        while True:
            response = self.get(_MODELS, base)
            if not is_loading(response.status_code, response.content) or time.monotonic() > deadline:
                return response
            if not is_said:
                say(f"{self.url} is loading its model; waiting for it.")
            is_said = True
            time.sleep(LOADING_WAIT_S)

    def models(self) -> Sequence[ServedModel] | None:
        """List what the server serves, trying each base address it may have; None if it has no such list.

        Raises:
            MedctxError: If no server answers, or it refuses the key.
        """
        for base in self._bases:
            try:
                response = self._list_when_loaded(base)
            except httpx.HTTPError as error:
                if "certificate" in str(error).lower():
                    raise MedctxError(
                        f"The certificate of {self.url} is not trusted ({mask_secrets(str(error))}); set SSL_CERT_FILE "
                        "to a file with the certificate of who signed it."
                    ) from None
                if isinstance(error, httpx.ReadTimeout | httpx.RemoteProtocolError | httpx.ReadError):
                    continue  # A list that is broken; questions may be answered all the same.
                raise MedctxError(
                    f"No server answers at {self.url} ({type(error).__name__}); start it or correct the address."
                ) from None
            if response.status_code == 401:
                raise MedctxError(
                    f"{self.url}/{_MODELS} answers {response.status_code} ({quote(response.content)}); is the key "
                    "right? It is read from the environment variable of api_key_variable."
                )
            if response.status_code == 200:
                try:
                    listed = ModelList.model_validate_json(response.content)
                except ValidationError:
                    continue
                self._base = base
                return listed.data
        return None

    def find_base(self, route: str, body: Body) -> None:
        """Choose the base address at which a route exists, for servers without a list of models."""
        for base in self._bases:
            try:
                response = self._http.post(self._address(route, base), content=_ANY.dump_json(body), headers=_JSON)
            except httpx.HTTPError:
                continue
            if response.status_code not in _NO_ROUTE_STATUS:
                self._base = base
                return

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        """Read an answer; an answer that is not complete at the deadline is refused."""
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if time.monotonic() > deadline:
                raise BusyError(f"answer not complete after {self._timeout_s:g} s from {self.url}")
            if size > MAX_ANSWER_BYTES:
                raise BusyError(f"answer of more than {MAX_ANSWER_BYTES:,} bytes from {self.url}")
        return self._clean(b"".join(parts))

    def _clean(self, content: bytes) -> bytes:
        """Mask the secrets sent in what a server says: some echo the request."""
        return self._secrets.sub(MASK.encode(), content) if self._secrets else content

    def _once(self, route: str, body: Body) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        # Prompts are thousands of token ids: pydantic writes them eight times as fast as the standard library.
        content = _ANY.dump_json(body)
        try:
            with self._http.stream("POST", self._address(route), content=content, headers=_JSON) as response:
                answer = self._read(response, deadline)
        except httpx.HTTPError as error:
            raise BusyError(f"{type(error).__name__} from {self.url}") from error
        status = response.status_code
        if status in _ANSWERED:
            return answer
        if status in _REDIRECTED:
            raise RefusedError(self._redirected(response), status)
        raise self._refusal(status, answer, route, retry_after(response.headers))

    def _redirected(self, response: httpx.Response) -> str:
        place = mask_secrets(response.headers.get("Location", "another address"))
        return (
            f"{self.url} redirects to {place} ({response.status_code}), which is not followed, because the request "
            "carries the key; if that is the server, give its address"
        )

    def _refusal(
        self, status: int, content: bytes, route: str, wait_s: float = 0.0
    ) -> BusyError | TooLongError | RefusedError:
        answered_before = bool(self.health.answers)
        return refusal_of(status, content, self.url, route, wait_s=wait_s, answered_before=answered_before)

    def _checked(self, route: str, content: bytes, prompts: int) -> Answer:
        """Parse an answer; one that is none (an error with status 200, half of it, a web page) is a busy server."""
        try:
            answer = read_answer(content)
        except ValidationError:
            self._raise_hidden_error(route, content)
            raise BusyError(f"no completion from {self.url}: {quote(content, 200)}") from None
        problem = problem_of(answer, prompts, self._model)
        if problem:
            raise BusyError(f"{problem} from {self.url}")
        return answer.model_copy(update={"choices": tuple(sorted(answer.choices, key=lambda choice: choice.index))})

    def _raise_hidden_error(self, route: str, content: bytes) -> None:
        """Treat an error that was sent with status 200 as one of the status it names."""
        try:
            value = _VALUE.validate_json(content)
        except ValidationError:
            return
        error = value.get("error") if isinstance(value, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 600:
            raise self._refusal(code, content, route)

    def _attempt(self, route: str, body: Body, prompts: int) -> Answer:
        answer = self._checked(route, self._once(route, body), prompts)
        self.health.answered()
        return answer

    def _answers_ping(self) -> bool:
        """Whether the server answers a short request, so that the failed request is the cause."""
        if self._ping is None:
            return False
        route, body = self._ping
        try:
            self._checked(route, self._once(route, body), 1)
        except (BusyError, TooLongError, RefusedError):
            return False
        self.health.answered()
        return True

    def _stop(self, answers_before: int, state: RetryCallState) -> bool:
        """Whether to stop asking: the server is down, or it answers others but not this request."""
        self.health.failed()
        if self.health.down:
            return True
        if state.attempt_number < ATTEMPTS:
            return False
        return self.health.answers > answers_before or self._ping is None or self._answers_ping()

    def post(self, route: str, body: Body) -> bytes:
        """POST once and return the content of the answer.

        Raises:
            BusyError: If the server does not answer.
            TooLongError: If it says that the prompt is too long.
            RefusedError: If it refuses the request.
        """
        return self._once(route, body)

    def complete(self, route: str, body: Body, prompts: int = 1) -> Answer:
        """POST to a completions or chat route, again as long as the server is busy.

        Args:
            route: The route below the base address.
            body: The request.
            prompts: Number of prompts in it.

        Returns:
            The answer, its choices in the order of the prompts.

        Raises:
            BusyError: If the server answers other requests but not this one, after ``ATTEMPTS`` attempts.
            ServerDownError: If it has answered nothing for ``give_up_s`` seconds.
            TooLongError: If it says that the prompt is too long.
            RefusedError: If it refuses the request.
        """
        answers_before = self.health.answers
        retrying = Retrying(
            retry=retry_if_exception_type(BusyError),
            stop=lambda state: self._stop(answers_before, state),
            wait=_wait,
            reraise=True,
        )
        try:
            return retrying(self._attempt, route, body, prompts)
        except BusyError as error:
            if self.health.down:
                raise ServerDownError(
                    f"The server {self.url} has answered nothing for a while ({error}); start it again and run the "
                    "same command to continue, or raise give_up_s."
                ) from None
            raise

    def expect_model(self, name: str) -> None:
        """Refuse answers that name another model, as gateways give when they fall back on one."""
        self._model = name

    def watch_with(self, route: str, body: Body) -> None:
        """Set the short request that shows whether a server is down."""
        self._ping = (route, body)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _wait(state: RetryCallState) -> float:
    """Growing waits with jitter, at least as long as the server asked for."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.wait_s if isinstance(error, BusyError) else 0.0
    return max(min(asked_s, MAX_WAIT_S), wait_exponential_jitter(initial=0.5, max=20)(state))


def server_version(client: Client) -> str:
    """The version a server states on ``/version`` (vLLM); "" without one."""
    value = client.page("/version")
    version = value.get("version") if isinstance(value, Mapping) else None
    return version if isinstance(version, str) else ""
