"""Exam Conditions: which Book stands before a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from medctx.errors import MedctxError
from medctx.schemas.records import Axis, Record

ConditionKind = Literal["closed", "gold", "open", "distractor", "counterfactual"]

GRAMMAR = (
    "closed, gold, open:<tokens>[:<depth>], distractor[:<tokens>] or counterfactual[:<tokens>[:<depth>]], "
    "with a depth between 0 and 1; <tokens> may be a range such as 512-131072, every doubling in it"
)
_AXES: dict[ConditionKind, Axis] = {
    "closed": "knowledge",
    "gold": "reading",
    "open": "reading",
    "distractor": "abstention",
    "counterfactual": "faithfulness",
}
_PATTERN = re.compile(r"(open|distractor|counterfactual)(?::([1-9]\d*)(?::(0|1|0?\.\d+|1\.0+))?)?")
_RANGE = re.compile(r"(open|distractor|counterfactual):([1-9]\d*)-([1-9]\d*)(:[\d.]+)?")


class Condition(Record):
    """Which Book stands before a question.

    ``closed``: none. ``gold``: the evidence alone. ``open``: the evidence among distractors in a Book of at most
    ``tokens`` tokens, at ``depth`` in [0, 1]; without a depth, the items are spread over several. ``distractor``: a
    Book without the evidence, where only "cannot be answered" is right. ``counterfactual``: evidence altered so that
    another option is right, alone or (with ``tokens``) among distractors.
    """

    kind: ConditionKind
    tokens: int | None = Field(None, ge=1)
    depth: float | None = Field(None, ge=0, le=1)

    @property
    def name(self) -> str:
        """The Condition as configs, files and reports write it."""
        parts = [self.kind, self.tokens, self.depth]
        return ":".join(f"{part:.3g}" if isinstance(part, float) else str(part) for part in parts if part is not None)

    @property
    def axis(self) -> Axis:
        """What an item measures under this Condition."""
        return _AXES[self.kind]

    def at(self, depth: float) -> Condition:
        """The same Condition at one depth."""
        return self.model_copy(update={"depth": depth})


def expand_ranges(texts: Sequence[str]) -> tuple[str, ...]:
    """Expand ranges of lengths: ``open:512-2048`` becomes open:512, open:1024 and open:2048."""
    expanded: list[str] = []
    for text in texts:
        match = _RANGE.fullmatch(text)
        if match is None:
            expanded.append(text)
            continue
        length, last = int(match[2]), int(match[3])
        while length <= last:
            expanded.append(f"{match[1]}:{length}{match[4] or ''}")
            length *= 2
    return tuple(expanded)


def even_depths(count: int) -> tuple[float, ...]:
    """``count`` depths evenly spaced from 0 to 1; 0.5 for one."""
    return tuple(round(place / (count - 1), 3) for place in range(count)) if count > 1 else (0.5,)


def parse(text: str) -> Condition:
    """Read a Condition as configs write it.

    Raises:
        MedctxError: If the text is no Condition.
    """
    if text in {"closed", "gold"}:
        return Condition(kind="closed" if text == "closed" else "gold")
    match = _PATTERN.fullmatch(text)
    kind = match[1] if match else ""
    # An open Book needs a length, and evidence that is absent has no depth.
    if not match or (kind == "open" and not match[2]) or (kind == "distractor" and match[3]):
        raise MedctxError(f"The condition {text!r} is not known; write {GRAMMAR}.")
    return Condition.model_validate(
        {"kind": kind, "tokens": match[2] and int(match[2]), "depth": match[3] and float(match[3])}
    )
