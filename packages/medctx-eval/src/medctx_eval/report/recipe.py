"""How a cell was made: the axes along which the cells of a study differ."""

from __future__ import annotations

import re

_RATIO = re.compile(r"(?<![\d:.])(\d+):(\d+)(?![\d:])")


def share_in_name(name: str) -> float | None:
    """General share in [0, 1] that a name such as ``4:1`` (general : medical) states, or None."""
    match = _RATIO.search(name)
    general, medical = (int(match[1]), int(match[2])) if match else (0, 0)
    return general / (general + medical) if general + medical else None


def ratio_label(name: str, share: float) -> str:
    """The ratio in a cell's name if it stands for ``share``, otherwise the share as percent of general data."""
    match = _RATIO.search(name)
    return match[0] if match and share_in_name(name) == share else f"{share:.0%} general"
