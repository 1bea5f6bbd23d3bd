"""Published files brought here: from a hub of data sets, or from a URL; every trouble on the way is one sentence."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from medctx.errors import MedctxError
from medctx.io.atomic import atomic_file
from medctx.process.progress import say, track

ATTEMPTS = 5
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0
TIMEOUT_S = 30.0
_MEGABYTE = 1e6
_NEEDED = ("filelock", "httpx", "huggingface_hub", "tenacity")


ResultT = TypeVar("ResultT")


class _TryAgainError(Exception):
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
    """What ``download`` gives, tried again where the trouble may pass."""
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TryAgainError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential_jitter(initial=FIRST_WAIT_S, max=LONGEST_WAIT_S),
        reraise=True,
    )
    try:
        return retrying(download)
    except _TryAgainError as error:
        raise _unreachable(place, f"{error}, {ATTEMPTS} times") from None


def _unreachable(place: str, why: str) -> MedctxError:
    return MedctxError(
        f"{place} could not be fetched ({why}); check the network or the proxy, or give a local file with path=."
    )


def _refused(place: str, status: int) -> MedctxError:
    if status in {401, 403}:
        return MedctxError(
            f"{place} does not exist or is not open to you ({status}); where its publisher asks for it, accept the "
            "terms on its page and set HF_TOKEN, or give a local file with path=."
        )
    if status in {404, 410}:
        return MedctxError(
            f"{place} is not there ({status}); it was moved or withdrawn, name another revision or give a local file "
            "with path=."
        )
    return _unreachable(place, f"the server answers {status}")


def _passing(status: int) -> bool:
    return status in {408, 429} or status >= 500


def from_hub(repo: str, file: str, revision: str, *, anew: bool = False) -> tuple[Path, str]:
    """The file of a hub's data set in the hub's own cache, and the commit it belongs to.

    ``anew`` downloads it even if it is in the cache. ``HF_ENDPOINT``, ``HF_HOME``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE``
    are honoured.
    """
    import huggingface_hub

    place = f"{file} of the data set {repo} (revision {revision})"

    def download() -> tuple[Path, str]:
        try:
            path = Path(
                huggingface_hub.hf_hub_download(repo, file, repo_type="dataset", revision=revision, force_download=anew)
            )
        except Exception as error:
            raise hub_error(place, error) from None
        # The hub's cache lays files out as snapshots/<commit>/<file>.
        return path, path.parents[file.count("/")].name

    return with_retries(place, download)


def hub_error(place: str, error: Exception) -> Exception:
    """What one of the hub library's many exceptions means here; a defect of medctx comes back as it is."""
    # As a module without types: it gathers some of its names without listing them.
    errors: ModuleType = import_module("huggingface_hub.errors")
    if isinstance(error, errors.GatedRepoError):
        return _refused(place, 403)
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return _TryAgainError(f"the hub answers {status}") if _passing(status) else _refused(place, status)
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = error.__cause__
        why = "offline mode is on" if isinstance(cause, errors.OfflineModeIsEnabled) else "the hub does not answer"
        return _unreachable(place, f"{why} and it is not in the hub's cache")
    if isinstance(error, errors.HTTPError):
        return _TryAgainError(type(error).__name__)
    if isinstance(error, errors.HFValidationError):
        return MedctxError(f"{place} is no name a hub could know ({str(error).splitlines()[0]}); correct it.")
    if isinstance(error, OSError):
        return _unreachable(place, str(error).partition("\n")[0] or type(error).__name__)
    return error


def from_url(url: str, target: Path) -> tuple[Path, str]:
    """The file at ``url`` under the name ``target`` once it is whole, and the commit its server tells ("" if none)."""
    import httpx

    def download() -> tuple[Path, str]:
        try:
            with (
                atomic_file(target) as stream,
                # Identity: a .gz file must arrive as it lies there, not unpacked on the way.
                httpx.stream(
                    "GET", url, headers={"Accept-Encoding": "identity"}, follow_redirects=True, timeout=TIMEOUT_S
                ) as answer,
            ):
                if answer.status_code != 200:
                    if _passing(answer.status_code):
                        raise _TryAgainError(f"the server answers {answer.status_code}")
                    raise _refused(url, answer.status_code)
                size = int(answer.headers.get("Content-Length", 0)) / _MEGABYTE
                with track(f"fetching {target.name}", size, "MB") as advance:
                    for chunk in answer.iter_bytes():
                        stream.write(chunk)
                        advance(len(chunk) / _MEGABYTE)
            return target, answer.headers.get("X-Repo-Commit", "")
        except httpx.TransportError as error:
            raise _TryAgainError(type(error).__name__) from None
        except (httpx.InvalidURL, httpx.TooManyRedirects, httpx.DecodingError) as error:
            raise _unreachable(url, str(error)) from None

    say(f"Fetching {url}.")
    return with_retries(url, download)
