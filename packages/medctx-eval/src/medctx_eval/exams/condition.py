"""Exam Conditions: which Book is put before a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from medctx.errors import MedctxError
from medctx.schemas.records import Axis, Record

Kind = Literal["closed", "gold", "open", "distractor", "counterfactual"]

GRAMMAR = (
    "closed, gold, open:<tokens>[:<depth>], distractor[:<tokens>] or counterfactual[:<tokens>[:<depth>]], "
    "with a depth between 0 and 1; <tokens> may be a range such as 512-131072, every doubling in it"
)
_AXES: dict[Kind, Axis] = {
    "closed": "knowledge",
    "gold": "reading",
    "open": "reading",
    "distractor": "abstention",
    "counterfactual": "faithfulness",
}
_PATTERN = re.compile(r"(open|distractor|counterfactual)(?::([1-9]\d*)(?::(0|1|0?\.\d+|1\.0+))?)?")


class Condition(Record):
    """``closed``: no Book. ``gold``: the evidence alone. ``open``: evidence among distractors in a Book of at
    most ``tokens`` tokens, at ``depth`` in [0, 1]; without a depth, items are dealt over several. ``distractor``:
    a Book without the evidence, where only "cannot be answered" is right. ``counterfactual``: evidence so altered
    that another option is right, alone or (with ``tokens``) among distractors.
    """

    kind: Kind
    tokens: int | None = Field(None, ge=1)
    depth: float | None = Field(None, ge=0, le=1)

    @property
    def name(self) -> str:
        """As it is written in configs, files and reports."""
        parts = [self.kind, self.tokens, self.depth]
        return ":".join(f"{part:.3g}" if isinstance(part, float) else str(part) for part in parts if part is not None)

    @property
    def axis(self) -> Axis:
        """What an item measures under it."""
        return _AXES[self.kind]

    def at(self, depth: float) -> Condition:
        """The same Condition at one depth."""
        return self.model_copy(update={"depth": depth})


_RANGE = re.compile(r"(open|distractor|counterfactual):([1-9]\d*)-([1-9]\d*)(:[\d.]+)?")


def expand(texts: Sequence[str]) -> tuple[str, ...]:
    """Write ranges of lengths out: ``open:512-2048`` is open:512, open:1024 and open:2048."""
    found: list[str] = []
    for text in texts:
        match = _RANGE.fullmatch(text)
        if match is None:
            found.append(text)
            continue
        length, last = int(match[2]), int(match[3])
        while length <= last:
            found.append(f"{match[1]}:{length}{match[4] or ''}")
            length *= 2
    return tuple(found)


def even_depths(count: int) -> tuple[float, ...]:
    """So many depths from the first to the last Passage of a Book; the middle where it is one."""
    return tuple(round(place / (count - 1), 3) for place in range(count)) if count > 1 else (0.5,)


def parse(text: str) -> Condition:
    """Read a Condition as configs write it."""
    if text in {"closed", "gold"}:
        return Condition(kind="closed" if text == "closed" else "gold")
    match = _PATTERN.fullmatch(text)
    kind = match[1] if match else ""
    # An open Book needs a length; the depth of evidence that is not there means nothing.
    if not match or (kind == "open" and not match[2]) or (kind == "distractor" and match[3]):
        raise MedctxError(f"The condition {text!r} is not known; write {GRAMMAR}.")
    return Condition.model_validate(
        {"kind": kind, "tokens": match[2] and int(match[2]), "depth": match[3] and float(match[3])}
    )
