"""What can go wrong while fetching, as one sentence each, and repetition where the trouble may pass."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

from medctx.errors import MedctxError

ATTEMPTS = 5
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0
_NEEDED = ("filelock", "httpx", "huggingface_hub", "tenacity")

ResultT = TypeVar("ResultT")


class RetryError(Exception):
    """Trouble that may pass: a broken connection, too many requests, a server's own error."""


def require_packages() -> None:
    """Refuse where the libraries that fetch are not installed."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MedctxError(
            f"Fetching published files needs the package {missing[0]}, which is not installed; "
            "run: pip install 'medctx-data[fetch]'."
        )


def with_retries(place: str, download: Callable[[], ResultT]) -> ResultT:
    """Return the result of ``download``, repeated after a RetryError with growing pauses."""
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(RetryError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential_jitter(initial=FIRST_WAIT_S, max=LONGEST_WAIT_S),
        reraise=True,
    )
    try:
        return retrying(download)
    except RetryError as error:
        raise unreachable(place, f"{error}, {ATTEMPTS} times") from None


def unreachable(place: str, reason: str) -> MedctxError:
    """The error for a file that no server gives."""
    return MedctxError(
        f"{place} could not be fetched ({reason}); check the network or the proxy, or give a local file with path=."
    )


def may_pass(status: int) -> bool:
    """Return whether an HTTP status is worth another attempt."""
    return status in {408, 429} or status >= 500


def refused(place: str, status: int) -> MedctxError:
    """The error for an HTTP status that another attempt does not change."""
    if status in {401, 403}:
        return MedctxError(
            f"{place} does not exist or is not open to you ({status}); where its publisher asks for it, accept the "
            "terms on its page and set HF_TOKEN, or give a local file with path=."
        )
    if status in {404, 410}:
        return MedctxError(
            f"{place} does not exist ({status}); it was moved or withdrawn, name another revision or give a local file "
            "with path=."
        )
    return unreachable(place, f"the server answers {status}")
