"""Secrets masked in texts that are stored or printed: keys in URLs, headers and environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

MASK = "***"
_SECRET_NAMES = (
    r"(?:access|api|auth|client|private|secret)?[_-]?"
    r"(?:keys?|tokens?|secrets?|signature|sig|passwords?|passwd|credentials?)"
)
_PATTERNS = (
    # https://user:password@host
    (re.compile(r"(?<=://)[^/\s@\"']+(?=@)"), MASK),
    # ?api_key=..., &X-Amz-Signature=...
    (re.compile(rf"([?&](?:{_SECRET_NAMES}|x-(?:amz|goog)-[\w-]+)=)[^&\s\"'#]+", re.IGNORECASE), rf"\1{MASK}"),
    # Authorization: Bearer ..., "x-api-key": "..."
    (
        re.compile(
            r"(\b(?:proxy-)?authorization|\bx-api-key|\bapi-key|\bx-auth-token|\bset-cookie|\bcookie)"
            r"([\"']?\s*[:=]\s*[\"']?)((?:bearer|basic|token)\s+)?[^\s\"',;}\]]+",
            re.IGNORECASE,
        ),
        rf"\1\2\3{MASK}",
    ),
    (re.compile(r"(\bbearer\s+)[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1{MASK}"),
    # Tokens with a prefix by which their issuers mark them.
    (re.compile(r"\b(?:sk|rk|pk)-[\w-]{12,}|\bhf_[A-Za-z0-9]{12,}|\bgh[pousr]_\w{16,}|\bAKIA[0-9A-Z]{12,}"), MASK),
)
_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
SHORTEST_SECRET = 8
"""Shorter values are no secrets but stand-ins such as ``EMPTY``, which are words of ordinary texts."""
SECRET_NAME = re.compile(_SECRET_NAMES, re.IGNORECASE)
"""Names of query parameters that hold secrets."""
_registered: set[str] = set()


def register_secret(value: str) -> None:
    """Mask ``value`` from now on wherever it occurs, for secrets whose variable has an unusual name."""
    if len(value) >= SHORTEST_SECRET:
        _registered.add(value)


def _spellings(char: str) -> str:
    """A character as texts, JSON and URLs write it."""
    plain = re.escape(char)
    return rf"(?:{plain}|\\{plain}|\\u{ord(char):04x}|%{ord(char):02x})"


def secrets_pattern(secrets: Iterable[str]) -> re.Pattern[bytes] | None:
    """A pattern of several secrets in every spelling that JSON and URLs have for them; None if none is long enough."""
    known = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
    if not known:
        return None
    return re.compile("|".join("".join(map(_spellings, secret)) for secret in known).encode(), re.IGNORECASE)


def _known_secrets() -> set[str]:
    variables = {value for name, value in os.environ.items() if _VARIABLE.search(name)}
    return {value for value in variables if len(value) >= SHORTEST_SECRET} | _registered


def mask_secrets(text: str) -> str:
    """Return ``text`` with every secret replaced by ``MASK``.

    Masked are user names and passwords in URLs, query parameters and headers with the names of secrets, tokens with
    well-known prefixes, and the values of environment variables whose names end in KEY, TOKEN, SECRET or PASSWORD.
    """
    for secret in sorted(_known_secrets(), key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
