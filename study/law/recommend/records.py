"""A recommendation and the check of its forecast, as they are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.schemas.records import Record

CONFIDENCE = 0.9
"""How probable it must be that reading is kept, by default."""
UTILITY = "knowledge"
"""What is maximised by default."""
RecommendationWord = Literal["recommended", "not sure", "none", "cannot tell"]


class LawEstimate(Record):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Options(Record):
    """The settings of a recommendation: ``utility`` to maximise; ``margin``: the loss of reading that counts as none,
    in [0, 1] (None: no constraint); ``confidence``: the probability required that reading is kept; ``amount`` of
    training data; ``seeds``: runs that the composition will be trained; ``batch``: how many next cells.
    """

    utility: str = UTILITY
    margin: float | None = Field(0.05, gt=0, lt=1)
    confidence: float = Field(CONFIDENCE, gt=0, lt=1)
    amount: float | None = Field(None, gt=0)
    seeds: int = Field(1, ge=1)
    batch: int = Field(3, ge=0, le=20)


class Forecast(Record):
    """One part at the recommended composition, in accuracy.

    ``truth``: the law there; ``gain``: less the base's own truth; ``measurement``: what the mean of the seeds will
    score on the same exam; ``difference``: that less the base's measured score. ``proves``: the probability that the
    exam's own interval will then show what is claimed: a gain of knowledge, or a loss of reading within the margin.
    """

    part: str
    truth: LawEstimate
    gain: LawEstimate
    measurement: LawEstimate
    difference: LawEstimate
    proves: float


class PredictedCurve(Record):
    """One part over the compositions looked at: what models score on average, with 95 % intervals, in [0, 1]."""

    part: str
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class NextCell(Record):
    """A composition worth running. ``improvement``: how much it and those before it in the batch are expected to add
    to the utility of the best measured cell (in units of the utility).
    """

    ratio: str
    share: float
    improvement: float


class Recommendation(Record):
    """A frozen forecast, written before its composition is trained.

    ``word``: ``not sure`` where the optimum may be nearly anywhere; ``none`` where no composition keeps reading.
    ``share``: general, in [0, 1], and as ``ratio`` general:medical. ``optimum``: where the truly best composition
    lies, 95 % interval over draws of the laws; in ``nowhere`` of them none keeps reading. ``holds``: the probability
    that the recommended one does. ``improvement`` of utility over the untouched model. ``best_cell`` is the measured
    composition that would be chosen, and ``over_best`` what the recommended one is expected to have over it.
    ``repeats``: the cell that has this composition already, "" where it is a new one. ``curves`` and ``keeps`` (the
    probability that reading is kept) at ``shares`` are what the picture shows; ``config``: the digest of the study that
    it was made for.
    """

    medctx: str
    study: str
    sources: dict[str, str]
    options: Options
    word: RecommendationWord
    share: float
    ratio: str
    amount: float | None
    size: float | None
    optimum: LawEstimate
    nowhere: float
    holds: float
    utility: LawEstimate
    improvement: LawEstimate
    best_cell: str
    over_best: LawEstimate
    repeats: str
    forecasts: tuple[Forecast, ...]
    next_cells: tuple[NextCell, ...]
    shares: tuple[float, ...]
    curves: tuple[PredictedCurve, ...]
    keeps: tuple[float, ...]
    sentence: str
    notes: tuple[str, ...] = ()
    config: str = ""


class CheckedPart(Record):
    """One part: the forecast of the mean over as many seeds, the runs that came of it, and the report's own
    intervals; in accuracy. ``inside``: whether the mean of the runs is in the predicted interval.
    """

    part: str
    predicted: LawEstimate
    predicted_difference: LawEstimate
    runs: tuple[float, ...]
    measured: LawEstimate
    measured_difference: LawEstimate | None
    inside: bool


class ForecastCheck(Record):
    """Prediction and measurement. ``kept``: whether the measured interval is above the margin (nothing: no
    margin or no reading); ``gained``: whether that of knowledge is above 0.
    """

    cell: str
    sources: dict[str, str]
    parts: tuple[CheckedPart, ...]
    kept: bool | None
    gained: bool | None
    sentence: str
