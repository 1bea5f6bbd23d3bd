"""Switches that users set as environment variables."""

from __future__ import annotations

import os


def is_switched_on(variable: str) -> bool:
    """Return True if the environment variable is 1, true, yes or on; any other value leaves the switch off."""
    return os.environ.get(variable, "").lower() in {"1", "true", "yes", "on"}
