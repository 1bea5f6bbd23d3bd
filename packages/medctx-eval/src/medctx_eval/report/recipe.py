"""How a cell was made: the axes along which the cells of a study lie."""

from __future__ import annotations

import re

_RATIO = re.compile(r"(?<![\d:.])(\d+):(\d+)(?![\d:])")


def share_in(name: str) -> float | None:
    """The general part in [0, 1] that a name such as ``4:1`` (general : medical) says; nothing where it says none."""
    match = _RATIO.search(name)
    general, medical = (int(match[1]), int(match[2])) if match else (0, 0)
    return general / (general + medical) if general + medical else None


def label(name: str, share: float) -> str:
    """The ratio a cell's name holds, where it means ``share``; the share in per cent of general data otherwise."""
    match = _RATIO.search(name)
    return match[0] if match and share_in(name) == share else f"{share:.0%} general"
