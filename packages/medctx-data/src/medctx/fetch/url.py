"""Files from URLs."""

from __future__ import annotations

from pathlib import Path

from medctx.fetch.errors import RetryError, may_pass, refused, unreachable, with_retries
from medctx.fetch.http import connection_problem, http_client
from medctx.io.atomic import atomic_file
from medctx.io.masking import mask_secrets
from medctx.process.progress import say, track

TIMEOUT_S = 30.0
_MEGABYTE = 1e6


def from_url(url: str, target: Path) -> tuple[Path, str]:
    """Fetch the file at ``url`` as ``target``; return it, and the commit its server states (``""`` if none)."""
    import httpx

    place = mask_secrets(url)

    def download() -> tuple[Path, str]:
        try:
            with (
                atomic_file(target) as stream,
                http_client(url, follow_redirects=True, timeout=TIMEOUT_S) as client,
                # Identity: a .gz file must arrive as it is, not unpacked on the way.
                client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
            ):
                if answer.status_code != 200:
                    if may_pass(answer.status_code):
                        raise RetryError(f"the server answers {answer.status_code}")
                    raise refused(place, answer.status_code)
                size = int(answer.headers.get("Content-Length", 0)) / _MEGABYTE
                with track(f"fetching {target.name}", size, "MB") as advance:
                    for chunk in answer.iter_bytes():
                        stream.write(chunk)
                        advance(len(chunk) / _MEGABYTE)
            return target, answer.headers.get("X-Repo-Commit", "")
        except httpx.TransportError as error:
            problem = connection_problem(error)
            raise (unreachable(place, problem) if problem else RetryError(type(error).__name__)) from None
        except (httpx.InvalidURL, httpx.TooManyRedirects, httpx.DecodingError) as error:
            raise unreachable(place, str(error)) from None

    say(f"Fetching {place}.")
    return with_retries(place, download)
