"""Requests without a completion: the server is busy or down, the prompt is too long, or the request is refused."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock

from medctx.errors import MedctxError, UnfinishedError
from medctx.io.masking import mask_secrets

_TOO_LONG = (
    "context length",
    "context_length",
    "context size",
    "context_size",
    "context window",
    "maximum length",
    "max_model_len",
    "max_new_tokens",
    "maximum allowed length",
    "maximum number of tokens",
    "input length",
    "too long",
    "too many tokens",
)
"""Wordings of vLLM, llama.cpp, TGI, SGLang, OpenAI, Gemini and others for a prompt that exceeds the context."""


_FILTERED = ("content_filter", "contentfilter", "content management policy", "content_policy")
"""Wordings of a request that was refused because of what it says: OpenAI, Azure, Zhipu."""
_BUSY_STATUS = frozenset({408, 409, 425, 429})
_KEY_STATUS = frozenset({401, 403})


class BusyError(Exception):
    """The server did not answer this time. ``wait_s``: how long it asked to be left alone."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TooLongError(Exception):
    """The server says that the prompt exceeds its context."""


class RefusedError(MedctxError):
    """The server refused a request for another reason. ``status``: its HTTP status."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class FilteredError(RefusedError):
    """The server's content filter refused a request."""


class ServerDownError(UnfinishedError):
    """The server has answered nothing for too long."""


class ServerHealth:
    """When a server last answered. Safe to use from several threads."""

    def __init__(self, give_up_s: float) -> None:
        self._give_up_s = give_up_s
        self._lock = Lock()
        self._failing_since: float | None = None
        self.answers = 0

    def answered(self) -> None:
        """Note an answer."""
        with self._lock:
            self._failing_since = None
            self.answers += 1

    def failed(self) -> None:
        """Note a request without an answer."""
        with self._lock:
            if self._failing_since is None:
                self._failing_since = time.monotonic()

    @property
    def down(self) -> bool:
        """Whether nothing was answered for ``give_up_s`` seconds since the first request that failed."""
        since = self._failing_since
        return since is not None and time.monotonic() - since >= self._give_up_s


def is_loading(status: int, content: bytes) -> bool:
    """Whether a server says that it is still loading its model, as llama.cpp does."""
    return status == 503 and b"loading" in content.lower()


def quote(content: bytes, length: int = 300) -> str:
    """Return the beginning of what a server said, on one line and without secrets, for an error message."""
    text = " ".join(content[: 4 * length].decode(errors="replace").split())
    return mask_secrets(text[:length]) or "(nothing)"


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait by the header ``Retry-After``, in seconds or as a date; 0 without one."""
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def refusal_of(
    status: int, content: bytes, base: str, route: str, *, wait_s: float = 0.0, answered_before: bool = False
) -> BusyError | TooLongError | RefusedError:
    """Return what an answer with an error status means: a busy server, a prompt that is too long, or a refusal.

    Args:
        status: HTTP status.
        content: What the server said.
        base: Base address of the server, for messages.
        route: Route of the request.
        wait_s: Seconds that the server asks to wait.
        answered_before: Whether the server answered earlier requests with the same key.
    """
    said = quote(content)
    if status in {400, 403, 422} and any(sign in said.lower() for sign in _FILTERED):
        return FilteredError(f"{base}/{route.lstrip('/')} refused a request ({status}): {said}", status)
    too_long = any(sign in said.lower() for sign in _TOO_LONG)
    if too_long and (status in {400, 413, 422} or (status >= 500 and "exceed_context_size" in said)):
        return TooLongError(said)
    # A key that was accepted before is not wrong: gateways refuse one now and then.
    if status in _BUSY_STATUS or status >= 500 or (status in _KEY_STATUS and answered_before):
        return BusyError(f"{status} from {base}: {said}", wait_s)
    return RefusedError(f"{base}/{route.lstrip('/')} refused a request ({status}): {said}", status)
