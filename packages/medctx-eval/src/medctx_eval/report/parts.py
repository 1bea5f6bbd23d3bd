"""The parts of an exam that a report shows, as masks over the lined-up keys."""

from __future__ import annotations

import re

import numpy as np

from medctx.records import Judged, Mode
from medctx_eval.report.collect import Aligned
from medctx_eval.report.model import KNOWLEDGE, READING, UNTAUGHT
from medctx_eval.stats.clusters import BoolArray

_OPEN = re.compile(r"open:(\d+)(?::([\d.]+))?")


def length_and_depth(condition: str) -> tuple[int, float | None] | None:
    """Tokens and depth of an ``open`` Condition; None for every other."""
    match = _OPEN.fullmatch(condition)
    return (int(match[1]), float(match[2]) if match[2] else None) if match else None


def without_depth(condition: str) -> str:
    """``open:400:0.5`` -> ``open:400``; other Conditions are themselves."""
    place = length_and_depth(condition)
    return f"open:{place[0]}" if place else condition


def order(condition: str) -> tuple[int, float, float, str]:
    """Sort key: closed, gold, open by length and depth, then the rest by name."""
    place = length_and_depth(condition)
    if place:
        return 2, place[0], -1.0 if place[1] is None else place[1], condition
    return {"closed": 0, "gold": 1}.get(condition, 3), 0, 0, condition


def title(part: str) -> str:
    """A part as people read it."""
    place = length_and_depth(part)
    if place:
        depth = "" if place[1] is None else f", evidence at {place[1]:.0%}"
        return f"open, {place[0]:,} tokens{depth}"
    return {"closed": "closed book", "gold": "evidence only", UNTAUGHT: "knowledge, untaught"}.get(part, part)


def _taught(one: Judged) -> bool:
    return one.tags.get("taught", "yes") == "yes"


def _named(one: Judged) -> set[str]:
    """Every part a record belongs to. Untaught knowledge is a part of its own and of nothing else."""
    if one.axis == "knowledge":
        return {KNOWLEDGE, one.condition} if _taught(one) else {UNTAUGHT}
    return {READING, without_depth(one.condition), one.condition}


def masks(aligned: Aligned, mode: Mode) -> dict[str, BoolArray]:
    """Non-empty parts in the order they are shown, each with its mask (K,)."""
    named = [_named(one) if one.mode == mode else set() for one in aligned.asked]
    headline = [KNOWLEDGE, READING, UNTAUGHT]
    conditions = sorted({name for names in named for name in names if name not in headline}, key=order)
    found = {part: np.array([part in names for names in named]) for part in [*headline, *conditions]}
    return {part: mask for part, mask in found.items() if mask.any()}


def is_condition(part: str) -> bool:
    """Whether a part is a Condition with its depths taken together, rather than an axis."""
    return part not in {KNOWLEDGE, READING, UNTAUGHT} and without_depth(part) == part
