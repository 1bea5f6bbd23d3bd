"""How a cell was made: the axes along which the cells of a study lie."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from medctx.schemas.records import Record

Along = Literal["general_share", "amount", "base", "method"]
_RATIO = re.compile(r"(?<![\d:.])(\d+):(\d+)(?![\d:])")


class Recipe(Record):
    """What is known of how a cell was made; nothing for what is not.

    ``general_share`` in [0, 1]: the general part of its training data; ``amount``: its trained tokens; ``base``: the
    untouched cell it was made from, with which it is compared; ``method``: how its weights were changed, such as
    ``lora`` or ``full``.
    """

    general_share: float | None = Field(None, ge=0, le=1)
    amount: int | None = Field(None, ge=0)
    base: str = ""
    method: str = ""

    def without(self, *along: Along) -> Recipe:
        """What is left when some axes are not looked at: cells whose rest is equal differ along these alone."""
        return self.model_copy(update={axis: Recipe.model_fields[axis].default for axis in along})

    def words(self) -> str:
        """``20,000 tokens, lora``: amount and method, as far as they are known."""
        amount = "" if self.amount is None else f"{self.amount:,} trained tokens"
        return ", ".join(part for part in (amount, self.method) if part)


def share_in(name: str) -> float | None:
    """The general part in [0, 1] that a name such as ``4:1`` (general : medical) says; nothing where it says none."""
    match = _RATIO.search(name)
    general, medical = (int(match[1]), int(match[2])) if match else (0, 0)
    return general / (general + medical) if general + medical else None


def label(name: str, share: float) -> str:
    """The ratio a cell's name holds, where it means ``share``; the share in per cent of general data otherwise."""
    match = _RATIO.search(name)
    return match[0] if match and share_in(name) == share else f"{share:.0%} general"
