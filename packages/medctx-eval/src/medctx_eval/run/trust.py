"""What a config file may do only if it is the user's own.

A config that was received from others must not choose which secret goes to which address, or which program is started.
In a file, the address or the environment variable of an API key that is set, ``vllm.python`` and ``vllm.extra_args``
are therefore refused unless the user says that the file is trusted (``--trust-config``, or ``MEDCTX_TRUST_CONFIG=1``).
On the command line, and in a config made in Python, they are the user's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from medctx.config.cli import TRUST_VARIABLE, is_trusted
from medctx.errors import MedctxError
from medctx.io.masking import mask_secrets
from medctx_eval.run.config import RunConfig


def _is_this_machine(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _reasons(config: RunConfig, typed: Collection[str]) -> Iterator[str]:
    """What the file chooses that needs trust; ``typed`` are the keys given on the command line."""

    def is_of_file(key: str) -> bool:
        parts = key.split(".")
        return not any(".".join(parts[:count]) in typed for count in range(1, len(parts) + 1))

    if config.urls and os.environ.get(config.api_key_variable):
        away = next((url for url in config.urls if not _is_this_machine(url)), "")
        unusual = config.api_key_variable != RunConfig.model_fields["api_key_variable"].default
        if (away and is_of_file("urls")) or (unusual and is_of_file("api_key_variable")):
            yield f"sends the value of {config.api_key_variable} to {mask_secrets(away or config.urls[0])}"
    if config.vllm.python not in {"", sys.executable} and is_of_file("vllm.python"):
        yield f"starts the program {config.vllm.python} (vllm.python)"
    if config.vllm.extra_args and is_of_file("vllm.extra_args"):
        yield f"gives vLLM the arguments {' '.join(config.vllm.extra_args)} (vllm.extra_args)"


def require_trust(config: RunConfig, file: Path, typed: Collection[str], *, trusted: bool) -> None:
    """Refuse a config file that chooses what only the user may choose.

    Args:
        config: The resolved config.
        file: The file it was read from.
        typed: Keys that were given on the command line.
        trusted: Whether the user trusts the file.

    Raises:
        MedctxError: If the file is not trusted and chooses such a thing.
    """
    if trusted or is_trusted():
        return
    reason = next(_reasons(config, typed), "")
    if reason:
        raise MedctxError(
            f"The config {file} {reason}; if the file is your own, add --trust-config or set {TRUST_VARIABLE}=1, else "
            'take that key out of it (api_key_variable: "" sends no key).'
        )
