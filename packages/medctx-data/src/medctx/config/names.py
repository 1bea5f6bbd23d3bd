"""Names of studies, models and sources that become file names and search filters."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_NAME = re.compile(r"\w[\w .,+=@()\[\]~&-]{0,127}")


def check_name(name: str) -> str:
    """Return ``name`` if it is safe as a file name and in a search filter; raise ValueError otherwise.

    Allowed are letters and digits of any script, spaces and ``_ . , + = @ ( ) [ ] ~ & -``, at most 128 characters, the
    first a letter, a digit or ``_``. Paths, quotes, colons and control characters are refused.
    """
    if _NAME.fullmatch(name) and name == name.strip():
        return name
    raise ValueError(
        f"the name {name!r} is a path, is empty or holds a character that is not allowed in a name; use letters, "
        "digits, spaces and _ . , + = @ ( ) [ ] ~ & -"
    )


def _check_optional(name: str) -> str:
    return check_name(name) if name else name


OptionalName = Annotated[str, AfterValidator(_check_optional)]
"""A config key whose value is ``""`` or passes ``check_name``."""
