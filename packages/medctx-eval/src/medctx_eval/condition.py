"""Exam Conditions: which Book is put before a question."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from medctx.errors import MedctxError
from medctx.records import Axis, Record

Kind = Literal["closed", "gold", "open"]

_GRAMMAR = "closed, gold, open:<tokens> (evidence dealt over the exam's depths) or open:<tokens>:<depth>"


class Condition(Record):
    """``closed``: no Book. ``gold``: the evidence alone. ``open``: evidence among distractors in a Book of at
    most ``tokens`` tokens, at ``depth`` in [0, 1]; without a depth, items are dealt over several.
    """

    kind: Kind
    tokens: int | None = Field(None, ge=1)
    depth: float | None = Field(None, ge=0, le=1)

    @property
    def name(self) -> str:
        """As it is written in configs, files and reports."""
        parts = [self.kind, self.tokens, self.depth]
        return ":".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts if part is not None)

    @property
    def axis(self) -> Axis:
        """Without a Book an item measures knowledge, with one reading."""
        return "knowledge" if self.kind == "closed" else "reading"

    def at(self, depth: float) -> Condition:
        """The same Condition at one depth."""
        return self.model_copy(update={"depth": depth})


def parse(text: str) -> Condition:
    """Read a Condition as configs write it."""
    if text in {"closed", "gold"}:
        return Condition(kind="closed" if text == "closed" else "gold")
    match = re.fullmatch(r"open:(\d+)(?::(0|1|0?\.\d+|1\.0+))?", text)
    if not match or int(match[1]) == 0:
        raise MedctxError(f"The condition {text!r} is not known; write {_GRAMMAR}.")
    return Condition(kind="open", tokens=int(match[1]), depth=float(match[2]) if match[2] else None)
