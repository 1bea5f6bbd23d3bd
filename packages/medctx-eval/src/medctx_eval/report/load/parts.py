"""The parts of an exam that a report shows, as masks over planned items."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from medctx.schemas.records import Axis
from medctx.schemas.report import ABSTENTION, FAITHFULNESS, KNOWLEDGE, LEARNING, READING, UNTAUGHT
from medctx_eval.report.load.verdict_matrix import MaskArray, VerdictMatrix

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
    LEARNING: "knowledge, taught minus untaught",
}


class ConditionName(NamedTuple):
    """Kind, length in tokens and depth of the evidence in [0, 1] of a condition; None for what its name omits."""

    kind: str
    tokens: int | None
    depth: float | None


def parse_condition(name: str) -> ConditionName:
    """Parse the name of a condition; an unknown name is a kind of its own."""
    match = _PATTERN.fullmatch(name)
    if not match:
        return ConditionName(name, None, None)
    return ConditionName(match[1], int(match[2]) if match[2] else None, float(match[3]) if match[3] else None)


def without_depth(condition: str) -> str:
    """``open:400:0.5`` -> ``open:400``; unchanged if there is no depth."""
    return condition if parse_condition(condition).depth is None else condition.rpartition(":")[0]


def sort_key(condition: str) -> tuple[int, int, float, str]:
    """Display order: closed, gold, open by length and depth, then altered and removed evidence."""
    kind, tokens, depth = parse_condition(condition)
    rank = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
    return rank, tokens or 0, -1.0 if depth is None else depth, condition


def title(part: str) -> str:
    """The title of a part, for people."""
    kind, tokens, depth = parse_condition(part)
    name = _TITLES.get(kind, kind)
    length = "" if tokens is None else f", {tokens:,} tokens"
    return name + length + ("" if depth is None else f", evidence at {depth:.0%}")


def _parts_of(axis: Axis, condition: str, taught: bool, mixed: bool) -> set[str]:
    """The parts a planned item belongs to.

    Untaught knowledge is a part of its own and belongs to no other. Under a condition that asks answerable questions,
    too (``mixed``), questions that cannot be answered belong to abstention alone.
    """
    if axis == "knowledge" and not taught:
        return {UNTAUGHT}
    if axis == "abstention" and mixed:
        return {ABSTENTION}
    return {axis, without_depth(condition), condition}


def masks(matrix: VerdictMatrix) -> dict[str, MaskArray]:
    """Non-empty parts in display order, each with its mask over planned items (N,)."""
    kinds = ((matrix.condition * len(matrix.axes) + matrix.axis) * 2 + matrix.taught)[matrix.starts]
    occurring: list[tuple[int, str, Axis, bool]] = []
    axes_of: dict[str, set[str]] = {}
    for kind in np.unique(kinds).tolist():
        code, taught = divmod(kind, 2)
        condition, axis = matrix.conditions[code // len(matrix.axes)], matrix.axes[code % len(matrix.axes)]
        occurring.append((kind, condition, axis, bool(taught)))
        axes_of.setdefault(without_depth(condition), set()).add(axis)
    members: dict[str, list[int]] = {}
    for kind, condition, axis, taught in occurring:
        for part in _parts_of(axis, condition, taught, mixed=len(axes_of[without_depth(condition)]) > 1):
            members.setdefault(part, []).append(kind)
    conditions = sorted((part for part in members if part not in AXES), key=sort_key)
    all_masks = {part: np.isin(kinds, members[part]) for part in (*AXES, *conditions) if part in members}
    return {part: mask for part, mask in all_masks.items() if mask.any()}


def is_condition(part: str) -> bool:
    """Whether a part is a condition with its depths pooled, not an axis."""
    return part not in AXES and without_depth(part) == part


def in_grid(part: str) -> bool:
    """Whether a part is an open condition of one length and one depth."""
    kind, _, depth = parse_condition(part)
    return kind == "open" and depth is not None
