"""The cache folder: fetched files and measurements."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``MEDCTX_CACHE``, else ``medctx`` in the user's cache folder; it need not exist yet."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "medctx"
    return Path(os.environ.get("MEDCTX_CACHE", default))
