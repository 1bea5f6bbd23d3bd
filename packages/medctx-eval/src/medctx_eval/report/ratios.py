"""General : medical ratios in the names of runs."""

from __future__ import annotations

import re

_RATIO = re.compile(r"(?<![\d:.])(\d+):(\d+)(?![\d:])")


def general_share(name: str, ratios: dict[str, float]) -> float | None:
    """The general part of a run's training data in [0, 1]: configured, or read from a name such as ``4:1``."""
    if name in ratios:
        return ratios[name]
    match = _RATIO.search(name)
    general, medical = (int(match[1]), int(match[2])) if match else (0, 0)
    return general / (general + medical) if general + medical else None


def label(name: str, share: float) -> str:
    """The ratio a run's name holds, where it means ``share``; the share in per cent of general data otherwise."""
    match = _RATIO.search(name)
    return match[0] if match and general_share(name, {}) == share else f"{share:.0%} general"
