"""The parts of an exam that a report shows, as masks over its seats."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from medctx.schemas.records import Axis
from medctx_eval.report.load.verdict_matrix import Aligned
from medctx_eval.report.model import ABSTENTION, FAITHFULNESS, KNOWLEDGE, READING, UNTAUGHT
from medctx_eval.stats.clusters import BoolArray

AXES = (KNOWLEDGE, READING, ABSTENTION, FAITHFULNESS, UNTAUGHT)
_PATTERN = re.compile(r"(closed|gold|open|distractor|counterfactual)(?::(\d+)(?::([\d.]+))?)?")
_KINDS = ("closed", "gold", "open", "counterfactual", "distractor")
_TITLES = {
    "closed": "closed book",
    "gold": "evidence only",
    "open": "open",
    "distractor": "evidence removed",
    "counterfactual": "evidence altered",
    UNTAUGHT: "knowledge, untaught",
}


class Place(NamedTuple):
    """A Condition's kind, length in tokens and depth of the evidence in [0, 1]; nothing for what it does not name."""

    kind: str
    tokens: int | None
    depth: float | None


def place(condition: str) -> Place:
    """What a Condition's name says; a name that is not understood is a kind of its own."""
    match = _PATTERN.fullmatch(condition)
    if not match:
        return Place(condition, None, None)
    return Place(match[1], int(match[2]) if match[2] else None, float(match[3]) if match[3] else None)


def without_depth(condition: str) -> str:
    """``open:400:0.5`` -> ``open:400``; Conditions without a depth are themselves."""
    return condition if place(condition).depth is None else condition.rpartition(":")[0]


def order(condition: str) -> tuple[int, int, float, str]:
    """Sort key: closed, gold, open by length and depth, then altered and removed evidence."""
    kind, tokens, depth = place(condition)
    rank = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
    return rank, tokens or 0, -1.0 if depth is None else depth, condition


def title(part: str) -> str:
    """A part as people read it."""
    kind, tokens, depth = place(part)
    named = _TITLES.get(kind, kind)
    length = "" if tokens is None else f", {tokens:,} tokens"
    return named + length + ("" if depth is None else f", evidence at {depth:.0%}")


def _named(axis: Axis, condition: str, taught: bool) -> set[str]:
    """Every part a seat belongs to. Untaught knowledge is a part of its own and of nothing else."""
    if axis == "knowledge" and not taught:
        return {UNTAUGHT}
    return {axis, without_depth(condition), condition}


def masks(aligned: Aligned) -> dict[str, BoolArray]:
    """Non-empty parts in the order they are shown, each with its mask over seats (N,)."""
    members: dict[str, list[int]] = {}
    for code, (axis, condition) in enumerate(zip(aligned.axes, aligned.conditions, strict=True)):
        for taught in (False, True):
            for part in _named(axis, condition, taught):
                members.setdefault(part, []).append(2 * code + taught)
    kinds = (2 * aligned.condition + aligned.taught)[aligned.starts]
    conditions = sorted((part for part in members if part not in AXES), key=order)
    found = {part: np.isin(kinds, members[part]) for part in (*AXES, *conditions) if part in members}
    return {part: mask for part, mask in found.items() if mask.any()}


def is_condition(part: str) -> bool:
    """Whether a part is a Condition with its depths taken together, rather than an axis."""
    return part not in AXES and without_depth(part) == part


def in_grid(part: str) -> bool:
    """Whether a part is an open Condition of one length and one depth."""
    kind, _, depth = place(part)
    return kind == "open" and depth is not None
