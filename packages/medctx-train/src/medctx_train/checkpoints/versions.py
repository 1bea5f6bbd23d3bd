"""The packages a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    found = {"python": platform.python_version()}
    for package in ("torch", "transformers", "peft", "accelerate", "medctx-train"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
