"""An HTTP client that takes proxies and certificates from the environment, and says what is wrong with them.

httpx reads them itself, but fails with a traceback at a NO_PROXY that holds IPv6 addresses, at a proxy of an unknown
kind and at a certificate file that does not exist.
"""

from __future__ import annotations

import os
import ssl
from errno import ENOENT
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from medctx.errors import MedctxError
from medctx.fetch.errors import RetryError, may_pass, refused, unreachable, with_retries
from medctx.io.atomic import atomic_file
from medctx.io.masking import mask_secrets
from medctx.process.progress import say, track

if TYPE_CHECKING:
    import httpx

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address; None for a direct connection."""
    address = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    return None if not proxy or (address.hostname and proxy_bypass(address.hostname)) else proxy


def certificates() -> ssl.SSLContext:
    """Return the trusted certificates: those that the environment names, else the system's.

    Raises:
        MedctxError: The environment names a file or folder that does not exist or holds no certificates.
    """
    names = {name: os.environ[name] for name in CERTIFICATE_VARIABLES if os.environ.get(name)}
    for name, value in names.items():
        if not Path(value).exists():
            raise MedctxError(f"The variable {name} names {value}, which does not exist; correct or unset it.")
    if not names:
        import httpx

        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=names.get("SSL_CERT_FILE"), capath=names.get("SSL_CERT_DIR"))
    except (ssl.SSLError, OSError) as error:
        listed = ", ".join(f"{name}={value}" for name, value in names.items())
        raise MedctxError(
            f"The certificates of {listed} cannot be read ({_reason(error)}); name a file of PEM certificates."
        ) from None


def http_client(url: str, *, direct: bool = False, **options: Any) -> httpx.Client:
    """Return a client for the server at ``url``, with the environment's proxy and certificates.

    Args:
        url: Address of the server, or of a file on it.
        direct: Leave the environment aside, as for a server on this machine.
        options: Further arguments of ``httpx.Client``.

    Raises:
        MedctxError: A proxy or certificate of the environment cannot be used.
    """
    import httpx

    proxy = None if direct else proxy_for(url)
    verify = True if direct else certificates()
    try:
        return httpx.Client(proxy=proxy, verify=verify, trust_env=False, **options)
    except (ValueError, httpx.InvalidURL, ImportError) as error:
        raise MedctxError(
            f"The proxy {mask_secrets(proxy or '')} of the environment cannot be used ({_reason(error)}); "
            "correct or unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY."
        ) from None


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__


def connection_problem(error: BaseException) -> str | None:
    """Return why a connection cannot work however often it is tried, None for trouble that may pass.

    These are certificates that are not trusted, and proxies or certificates of the environment that cannot be used.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return (
                "the server's certificate is not trusted; if it is signed by your own authority, set SSL_CERT_FILE to "
                "the authority's certificate"
            )
        if type(cause).__name__ == "InvalidURL" or (isinstance(cause, ValueError) and "proxy" in str(cause).lower()):
            return f"a proxy of the environment cannot be used: {_reason(cause)}; correct HTTP_PROXY or NO_PROXY"
        if isinstance(cause, ImportError) and "socks" in str(cause).lower():
            return "the proxy of the environment is a SOCKS proxy, which needs the package socksio"
        unreadable = isinstance(cause, ssl.SSLError) or (type(cause) is FileNotFoundError and cause.errno == ENOENT)
        if unreadable and any(map(os.environ.get, CERTIFICATE_VARIABLES)):
            return f"the certificates of {' or '.join(CERTIFICATE_VARIABLES)} cannot be read: {_reason(cause)}"
        cause = cause.__cause__ or cause.__context__
    return None


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
