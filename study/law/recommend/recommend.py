"""The recommended composition: the most useful one that keeps reading, as far as the laws can tell."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from scipy import special, stats

import medctx
from medctx.schemas.records import Record
from study.law.evidence.evidence import Evidence
from study.law.evidence.names import ratio_of
from study.law.evidence.points import FloatArray, inside
from study.law.model.fit import Law, Mixture
from study.law.recommend.curves import Curves, Laws, curves_of, laws_of
from study.law.recommend.defaults import CONFIDENCE, UTILITY
from study.law.recommend.next_cells import NextCell, next_cells
from study.law.recommend.utility import Utility

Word = Literal["recommended", "not sure", "none", "cannot tell"]


class Estimate(Record):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Options(Record):
    """What was asked: ``utility`` to maximise; ``margin``: the loss of reading that counts as none, in [0, 1]
    (nothing: no constraint); ``confidence``: how probable it must be that reading is kept; ``amount`` of training
    data; ``seeds``: runs that the composition will be trained; ``batch``: how many next cells.
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
    truth: Estimate
    gain: Estimate
    measurement: Estimate
    difference: Estimate
    proves: float


class Drawn(Record):
    """One part over the compositions looked at: what models score on average, with 95 % intervals, in [0, 1]."""

    part: str
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


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
    word: Word
    share: float
    ratio: str
    amount: float | None
    size: float | None
    optimum: Estimate
    nowhere: float
    holds: float
    utility: Estimate
    improvement: Estimate
    best_cell: str
    over_best: Estimate
    repeats: str
    forecasts: tuple[Forecast, ...]
    next_cells: tuple[NextCell, ...]
    shares: tuple[float, ...]
    curves: tuple[Drawn, ...]
    keeps: tuple[float, ...]
    sentence: str
    notes: tuple[str, ...] = ()
    config: str = ""


def estimate(draws: FloatArray) -> Estimate:
    """Mean and 95 % quantiles of draws (D,)."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(value=float(draws.mean()), low=float(low), high=float(high))


def _predicted(mixture: Mixture) -> Estimate:
    low, high = (float(mixture.quantile(probability)[0]) for probability in (0.025, 0.975))
    return Estimate(value=float(special.expit(mixture.mean[0])), low=low, high=high)


def _shifted(found: Estimate, by: float) -> Estimate:
    return Estimate(value=found.value + by, low=found.low + by, high=found.high + by)


def _proves(law: Law, mixture: Mixture, base: float, claim: float, seeds: int) -> float:
    """The probability that a new measurement's own interval, of the items' errors alone, lies above ``claim``."""
    noise = law.measured.noise
    expected = float(special.expit(mixture.mean[0]))
    both = inside(np.array([expected, base]), noise.items)
    own, other = noise.deviations(both) * both * (1 - both)
    mean = own * np.sqrt(noise.near + (1 - noise.near) / seeds)
    error = float(np.sqrt(max(0.0, mean**2 + other**2 - 2 * noise.with_base * own * other)))
    needed = inside(base + claim + float(stats.norm.ppf(0.975)) * error, noise.items)
    above = stats.norm.sf((float(special.logit(needed)) - mixture.means[:, 0]) / mixture.deviations[:, 0])
    return float(mixture.weights @ above)


def _forecast(laws: Laws, curves: Curves, part: str, share: float, options: Options) -> Forecast:
    law, place = laws.by_part[part], curves.at(share)
    values = curves.values[part][:, place]
    mixture = law.run(laws.place(share), options.seeds)
    measurement = _predicted(mixture)
    claim = -(options.margin or 0.0) if part == "reading" else 0.0
    return Forecast(
        part=part,
        truth=estimate(values),
        gain=estimate(values - curves.values[f"base_{part}"][:, place]),
        measurement=measurement,
        difference=_shifted(measurement, -laws.base[part]),
        proves=_proves(law, mixture, laws.base[part], claim, options.seeds),
    )


def choose(curves: Curves, allowed: FloatArray, confidence: float) -> tuple[int, bool]:
    """The place of the best composition among the ``allowed`` places, and whether it keeps reading with enough
    confidence.

    Of those that do, the one of greatest expected utility; where there is none, the one most likely to keep reading.
    """
    places = allowed.astype(np.int64)
    holds, expected = curves.keeps[:, places].mean(axis=0), curves.utility[:, places].mean(axis=0)
    sure = holds >= confidence
    score = np.where(sure, expected, -np.inf) if sure.any() else holds
    return int(places[int(score.argmax())]), bool(sure.any())


def _optimum(curves: Curves) -> tuple[Estimate, float]:
    """Where the best composition that keeps reading lies in each draw, and the share of draws that have none."""
    kept = np.where(curves.keeps, curves.utility, -np.inf)
    there = curves.keeps.any(axis=1)
    if not there.any():
        return Estimate(value=float(curves.shares[-1]), low=float(curves.shares[0]), high=float(curves.shares[-1])), 1.0
    return estimate(curves.shares[kept[there].argmax(axis=1)]), float(1 - there.mean())


def _improvement(curves: Curves, place: int, utility: Utility) -> FloatArray:
    base = {
        name: curves.values[name if name.startswith("base_") else f"base_{name}"][:, place] for name in curves.values
    }
    return np.asarray(curves.utility[:, place] - utility(base))


WIDE = 0.5
"""An optimum known only to lie within this share of all that was measured is not known."""


def _word(
    sure: bool, improvement: Estimate, optimum: Estimate, nowhere: float, reach: float, confidence: float
) -> Word:
    """``reach``: how far the measured compositions lie apart."""
    if not sure:
        return "none" if nowhere >= confidence else "cannot tell"
    if improvement.low <= 0:
        return "cannot tell"
    return "not sure" if optimum.high - optimum.low > WIDE * reach else "recommended"


def points(value: float) -> str:
    """A difference of accuracies in points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")


def _sentence(found: Recommendation) -> str:
    options, improvement = found.options, found.improvement
    gain = f"{points(improvement.value)} [{points(improvement.low)}, {points(improvement.high)}]"
    what = "knowledge" if options.utility == UTILITY else f"the utility {options.utility}"
    kept = (
        f", with a probability of {found.holds:.0%} that reading stays within {100 * options.margin:g} points of base"
        if options.margin is not None
        else ""
    )
    told = f"{found.ratio} general : medical is expected to change {what} by {gain} points{kept}"
    where = f"the truly best share of general data lies between {found.optimum.low:.0%} and {found.optimum.high:.0%}"
    if found.word == "recommended":
        return f"Recommended: {told}; {where} (95 %)."
    if found.word == "not sure":
        return f"Recommended with reserve: {told}, but these data hardly say where the best one is: {where} (95 %)."
    if found.word == "none":
        return f"No composition keeps reading, with a probability of {found.nowhere:.0%}; the nearest to it, {told}."
    if options.margin is not None and found.holds < options.confidence:
        return (
            "The data cannot tell of any composition that it keeps reading with a probability of "
            f"{options.confidence:.0%}: the most promising, {told}."
        )
    return f"The data cannot tell whether any composition is better than the base: {told}; {where} (95 %)."


def _drawn(curves: Curves, part: str) -> Drawn:
    values = curves.values[part]
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return Drawn(
        part=part, value=tuple(values.mean(axis=0).tolist()), low=tuple(low.tolist()), high=tuple(high.tolist())
    )


def recommend(evidence: Evidence, options: Options, seed: int = 0) -> Recommendation:
    """Fit the laws of both parts and recommend a composition."""
    utility = Utility(options.utility)
    needed = {name.removeprefix("base_") for name in utility.names} | (
        {"reading"} if options.margin is not None else set()
    )
    laws = laws_of(evidence, frozenset(needed), options.amount, seed)
    curves = curves_of(laws, utility, options.margin, seed=seed)
    place, sure = choose(curves, np.arange(len(curves.shares), dtype=np.float64), options.confidence)
    measured = np.unique(np.concatenate([law.measured.shares for law in laws.by_part.values()]))
    best, _ = choose(curves, np.array([curves.at(share) for share in measured], dtype=np.float64), options.confidence)
    share = float(curves.shares[place])
    optimum, nowhere = _optimum(curves)
    improvement = estimate(_improvement(curves, place, utility))
    first = next(iter(laws.by_part.values())).measured
    name = {curves.at(run.place.share): run.cell for run in first.runs if run.place.amount == laws.amount}
    found = Recommendation(
        medctx=medctx.__version__,
        study=evidence.name,
        sources=dict(evidence.sources),
        options=options,
        word=_word(sure, improvement, optimum, nowhere, float(np.ptp(curves.shares)), options.confidence),
        share=share,
        ratio=ratio_of(share),
        amount=laws.amount,
        size=laws.size,
        optimum=optimum,
        nowhere=nowhere,
        holds=float(curves.keeps[:, place].mean()),
        utility=estimate(curves.utility[:, place]),
        improvement=improvement,
        best_cell=name.get(best, ratio_of(float(curves.shares[best]))),
        over_best=estimate(curves.utility[:, place] - curves.utility[:, best]),
        repeats=name.get(place, ""),
        forecasts=tuple(_forecast(laws, curves, part, share, options) for part in laws.by_part),
        next_cells=next_cells(curves, measured, options.batch),
        shares=tuple(curves.shares.tolist()),
        curves=tuple(_drawn(curves, part) for part in laws.by_part),
        keeps=tuple(curves.keeps.mean(axis=0).tolist()),
        sentence="",
        notes=evidence.notes,
    )
    return found.model_copy(update={"sentence": _sentence(found)})
