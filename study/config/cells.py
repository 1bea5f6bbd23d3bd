"""The cells of a study: one trained or untrained model each, with its value on every axis, or one from elsewhere."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.schemas.ratio import general_share
from medctx.schemas.records import Record

BASE_CELL = "base"


Origin = Literal["adapter", "model", "endpoint"]


class StudyCell(Record):
    """One model of a study.

    Attributes:
        name: Unique in the study.
        group: Name without the seed: cells of one group are repetitions.
        base: Label of the model it starts from.
        ratio: general:medical; "" for an untouched model.
        amount: Requested training data in the unit of the mix (tokens or examples).
        epochs: Passes over the training data.
        seed: Training seed; None for an untouched model.
        method: How it is trained; "": as the study's ``train`` says.
        sources: Name of the data it is trained on; "": as the study's ``mix`` says.
        wrap: Fraction of its Dialogues with a Book, in [0, 1]; None: as the study's ``mix`` says.
        repair: Name of the arm that is applied to the trained model; "" for none.
        origin: What a cell from elsewhere is; "" for a cell that the study makes.
        against: Label of the base that a cell from elsewhere is compared with.
    """

    name: str = Field(min_length=1)
    group: str = Field(min_length=1)
    base: str
    ratio: str = ""
    amount: int = Field(0, ge=0)
    epochs: int = Field(1, ge=1)
    seed: int | None = None
    method: str = ""
    sources: str = ""
    wrap: float | None = Field(None, ge=0, le=1)
    repair: str = ""
    origin: Origin | Literal[""] = ""
    against: str = ""

    @property
    def trained(self) -> bool:
        """Whether the study changes the base."""
        return bool(self.ratio)

    @property
    def compared(self) -> bool:
        """Whether it is compared with a base: it was trained, here or elsewhere."""
        return self.trained or bool(self.origin)

    @property
    def compared_with(self) -> str:
        """Label of the base that it is compared with."""
        return self.against or self.base

    @property
    def general_share(self) -> float | None:
        """The requested general fraction of its training data in [0, 1]; None for an untouched model."""
        return general_share(self.ratio) if self.ratio else None

    @property
    def axes(self) -> dict[str, str]:
        """Its values on the axes as text; axes that do not apply are left out."""
        values = {
            "base": self.compared_with,
            "ratio": self.ratio,
            "amount": str(self.amount) if self.amount else "",
            "epochs": str(self.epochs) if self.epochs > 1 else "",
            "seed": "" if self.seed is None else str(self.seed),
            "method": self.method,
            "sources": self.sources,
            "wrap": "" if self.wrap is None else f"{self.wrap:g}",
            "repair": self.repair,
            "origin": self.origin,
        }
        return {axis: value for axis, value in values.items() if value}


def short(amount: int) -> str:
    """20,000 as ``20k``, 1,500,000 as ``1.5M``, 1,234 as ``1234``."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if amount >= size and amount % (size // 100) == 0:
            return f"{amount / size:.10g}{letter}"
    return str(amount)
