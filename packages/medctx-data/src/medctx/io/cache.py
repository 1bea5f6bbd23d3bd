"""The cache folder: fetched files and measurements."""

from __future__ import annotations

import os
from pathlib import Path

from medctx.errors import MedctxError


def cache_folder() -> Path:
    """Return ``MEDCTX_CACHE``, else ``medctx`` in the user's cache folder; it need not exist yet."""
    if folder := os.environ.get("MEDCTX_CACHE"):
        return Path(folder)
    if parent := os.environ.get("XDG_CACHE_HOME"):
        return Path(parent) / "medctx"
    try:
        return Path.home() / ".cache" / "medctx"
    except RuntimeError:
        raise MedctxError(
            "This user has no home folder for the cache; set MEDCTX_CACHE to a folder that can be written."
        ) from None
