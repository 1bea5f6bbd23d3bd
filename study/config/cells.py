"""The cells of a study: one trained or untrained model each, by where it stands on every axis."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from medctx.schemas.records import Record

BASE_CELL = "base"


class Cell(Record):
    """One model of a study. ``name`` is its own; ``group`` is what was trained, the same for all of its seeds.

    ``base``: the label of the model it starts from. An untouched model has no ``ratio`` and nothing behind it.
    ``ratio``: general : medical. ``amount``: asked training data in the unit of the mix (tokens or examples), gone
    through ``epochs`` times. ``method``: how it is trained. ``wrap``: the share of its Dialogues that are given a Book,
    in [0, 1]; nothing where the mix says it. ``repair``: what is done to the trained model afterwards.
    """

    name: str = Field(min_length=1)
    group: str = Field(min_length=1)
    base: str
    ratio: str = ""
    amount: int = Field(0, ge=0)
    epochs: int = Field(1, ge=1)
    seed: int | None = None
    method: str = ""
    wrap: float | None = Field(None, ge=0, le=1)
    repair: str = ""

    @property
    def trained(self) -> bool:
        """Whether anything was done to the base."""
        return bool(self.ratio)

    @property
    def general_share(self) -> float | None:
        """The asked general part of its training data in [0, 1]; nothing for an untouched model."""
        return general_share(self.ratio) if self.ratio else None

    @property
    def axes(self) -> dict[str, str]:
        """Where it stands, in words, axis by axis; what does not apply is left out."""
        told = {
            "base": self.base,
            "ratio": self.ratio,
            "amount": str(self.amount) if self.amount else "",
            "epochs": str(self.epochs) if self.epochs > 1 else "",
            "seed": "" if self.seed is None else str(self.seed),
            "method": self.method,
            "wrap": "" if self.wrap is None else f"{self.wrap:g}",
            "repair": self.repair,
        }
        return {axis: value for axis, value in told.items() if value}


def general_share(ratio: str) -> float:
    """The general part of ``general:medical`` in [0, 1]. Raises ValueError where it is no ratio."""
    general, found, medical = ratio.partition(":")
    try:
        parts = Fraction(general), Fraction(medical)
    except (ValueError, ZeroDivisionError):
        found = ""
        parts = Fraction(0), Fraction(0)
    if not found or min(parts) < 0:
        raise ValueError(f"the ratio {ratio!r} is not general:medical; write for example 1:1, 9:1 or 0:1")
    if not sum(parts):
        raise ValueError(f"the ratio {ratio!r} sums to nothing; at least one side must be above 0")
    return float(parts[0] / sum(parts))


def short(amount: int) -> str:
    """20,000 as ``20k``, 1,500,000 as ``1.5M``, 1,234 as ``1234``."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if amount >= size and amount % (size // 100) == 0:
            return f"{amount / size:.10g}{letter}"
    return str(amount)
