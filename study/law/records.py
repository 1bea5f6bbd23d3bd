"""What a fitted law is recorded as, ``law.json``: parameters, curves, validation and saturation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from medctx.schemas.records import Record
from study.law.evidence.points import ItemNoise

CurveName = Literal["constant", "rising", "exponential", "change-point"]
SaturationWord = Literal["saturates", "still rising", "falls", "level", "cannot tell"]
LeftOut = Literal["cell", "ratio", "amount", "size"]
Unit = Literal["accuracy", "points", "logits", "bend"]
BASELINES = ("straight", "nearest")
METHODS = ("law", "process", *BASELINES)


class FittedCurve(Record):
    """One curve: the residual sum of squares in logits, and how far its AICc is above the best curve's (nothing
    where there are too few runs to say). ``at``: the amounts of the picture and ``accuracies`` there, in [0, 1].
    """

    curve: CurveName
    parameters: int
    squares: float
    behind: float | None
    at: tuple[float, ...]
    accuracies: tuple[float, ...]


class Saturation(Record):
    """The amount curve of one part at one composition; ``amounts`` and ``accuracies`` of its runs.

    ``df`` and ``run_sd``: what is known of the standard deviation between runs, in logits, with all amounts free.
    ``p_amount``: F test of all amounts being equal; ``p_rising``: of no slope in ln D. ``effect``: what the rising
    curve gains from the least amount to the most, in accuracy, with its 95 % t interval. ``change``: the most likely
    change-point in the unit of the amount, with its 95 % interval; an end outside the measured range is None,
    and so is what cannot be estimated from so few runs.
    """

    part: str
    share: float
    size: float | None
    amounts: tuple[float, ...]
    accuracies: tuple[float, ...]
    df: int = Field(ge=0)
    run_sd: float | None
    p_amount: float | None
    p_rising: float | None
    effect: float
    effect_low: float | None
    effect_high: float | None
    curves: tuple[FittedCurve, ...]
    change: float
    change_low: float | None
    change_high: float | None
    word: SaturationWord
    sentence: str


class HeldOut(Record):
    """One cell that the law was not shown; accuracies in [0, 1].

    ``measured``: its runs; ``low`` and ``high``: the law's 95 % prediction interval of one new run on the same exam, in
    which ``inside`` of them are; ``predictions`` by method. ``between``: whether it is between others on the axis
    that was left out, so that nothing extrapolates.
    """

    cell: str
    share: float
    amount: float | None
    size: float | None
    measured: tuple[float, ...] = Field(min_length=1)
    low: float
    high: float
    process_low: float
    process_high: float
    predictions: dict[str, float]
    between: bool

    @property
    def score(self) -> float:
        """The mean of its runs."""
        return float(np.mean(self.measured))

    @property
    def inside(self) -> int:
        """Runs in the law's interval."""
        return sum(self.low <= accuracy <= self.high for accuracy in self.measured)

    @property
    def inside_process(self) -> int:
        """Runs in the Gaussian process's interval."""
        return sum(self.process_low <= accuracy <= self.process_high for accuracy in self.measured)

    def error(self, method: str) -> float:
        """Prediction minus measurement, in [-1, 1]."""
        return self.predictions[method] - self.score


class Advantage(Record):
    """How much larger the mean absolute error of a rival is than the law's, in accuracy; ``low`` and ``high``: the
    95 % t interval over left-out groups, nothing from fewer than three.
    """

    value: float
    low: float | None = None
    high: float | None = None


class Validation(Record):
    """One part, with every cell, ratio, amount or size left out in turn.

    ``covered`` of ``runs`` measured runs lie in the law's 95 % prediction intervals; ``coverage`` is the exact 95 %
    interval of that rate (it takes runs for independent). ``errors``: mean absolute error by method, in accuracy;
    ``errors_between`` of cells that lie between others. ``advantages`` by rival.
    """

    part: str
    by: LeftOut
    held_out: tuple[HeldOut, ...] = Field(min_length=1)
    covered: int
    runs: int
    coverage: tuple[float, float]
    covered_process: int
    errors: dict[str, float]
    errors_between: dict[str, float]
    advantages: dict[str, Advantage]
    sentence: str


class Parameter(Record):
    """A parameter of the law with its 95 % interval; ``unit`` is ``accuracy`` (0 to 1), ``logits``, or that of
    amounts.
    """

    name: str
    unit: str
    value: float
    low: float
    high: float


class LawCurve(Record):
    """The law along one axis: ``at`` general shares in [0, 1] (``over`` ratio) or amounts, and what models score
    there on average, with 95 % intervals, in [0, 1].
    """

    over: str
    amount: float | None
    size: float | None
    share: float | None
    at: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class RunPoint(Record):
    """One measured run, in [0, 1]."""

    cell: str
    share: float
    amount: float | None
    size: float | None
    seed: int
    accuracy: float


class LawPart(Record):
    """The law of one part of the exam."""

    part: str
    base: float | None
    noise: ItemNoise
    points: tuple[RunPoint, ...]
    parameters: tuple[Parameter, ...]
    curves: tuple[LawCurve, ...]


class LawRecord(Record):
    """Everything ``python -m study law`` finds. ``sources``: digests of the files it was fitted to."""

    medctx: str
    study: str
    sources: dict[str, str]
    parts: tuple[LawPart, ...]
    validations: tuple[Validation, ...]
    saturations: tuple[Saturation, ...]
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The results in sentences."""
        return (
            *(validation.sentence for validation in self.validations),
            *(saturation.sentence for saturation in self.saturations),
        )
