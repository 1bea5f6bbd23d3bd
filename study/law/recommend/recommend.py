"""The recommended composition: the most useful one that keeps reading, as far as the laws can tell.

Every question about it is answered from joint draws of both laws over compositions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

import medctx
from medctx.errors import MedctxError
from study.law.evidence.evidence import PARTS, Evidence
from study.law.evidence.names import ratio_of, signed_points
from study.law.evidence.points import BoolArray, DesignPoint, FloatArray, Measured, inside
from study.law.model.fit import Law, Mixture, fit
from study.law.model.form import LawForm
from study.law.recommend.records import (
    UTILITY,
    Forecast,
    LawEstimate,
    NextCell,
    Options,
    PredictedCurve,
    Recommendation,
    RecommendationWord,
)
from study.law.recommend.utility import Utility

DRAWS = 4000
STEP = 0.01
"""Compositions are looked at in steps of one hundredth of the data."""


@dataclass(frozen=True)
class Laws:
    """The laws of the parts that were examined, with the base of the study, at one amount and size."""

    by_part: Mapping[str, Law]
    amount: float | None
    size: float | None
    base: Mapping[str, float]

    def place(self, share: float) -> DesignPoint:
        """A composition at this amount and size."""
        return DesignPoint(share, self.amount, self.size)


def _amount(measured: Measured, requested: float | None) -> float | None:
    """The amount to recommend for: the requested one, within the measured range, else that of most cells."""
    known = [run.place.amount for run in measured.runs if run.place.amount]
    if not known:
        if requested is not None:
            raise MedctxError("No cell says how much it was trained on, so --amount means nothing; leave it out.")
        return None
    if requested is not None and not min(known) <= requested <= max(known):
        raise MedctxError(
            f"The amount {requested:,.0f} lies outside {min(known):,.0f} to {max(known):,.0f}, which were trained; "
            "the law does not reach there."
        )
    return requested if requested is not None else LawForm.of(measured).amount


def laws_of(evidence: Evidence, needed: frozenset[str], amount: float | None, seed: int = 0) -> Laws:
    """Fit a law to each part; raises MedctxError where a part is missing that is ``needed``, or has no base."""
    for part in PARTS:
        measured = evidence.part(part)
        if part in needed and (measured is None or measured.base is None):
            raise MedctxError(
                f"{evidence.name} did not examine {part} of "
                f"{'the untouched model' if measured is not None else 'any cell'}; a recommendation needs it."
            )
        if part in needed and measured is not None and len({run.place.share for run in measured.runs}) < 3:
            raise MedctxError(
                f"{evidence.name} has fewer than three compositions with {part}; a recommendation needs three or more."
            )
    used = [part for part in evidence.measured if part.part in needed]
    chosen = _amount(used[0], amount)
    return Laws(
        by_part={part.part: fit(part, seed) for part in used},
        amount=chosen,
        size=evidence.base_size if len(set(used[0].sizes)) > 1 else used[0].runs[0].place.size,
        base={part.part: float(part.base or 0.0) for part in used},
    )


@dataclass(frozen=True)
class Curves:
    """D joint draws at S shares: ``values`` by name, each (D, S) in [0, 1], ``utility`` (D, S)."""

    shares: FloatArray
    values: Mapping[str, FloatArray]
    utility: FloatArray
    margin: float | None

    @property
    def keeps(self) -> BoolArray:
        """(D, S) whether reading is above that of the base less the margin; always where there is no margin."""
        if self.margin is None:
            return np.ones(self.utility.shape, dtype=np.bool_)
        return np.asarray(self.values["reading"] - self.values["base_reading"] > -self.margin)

    def at(self, share: float) -> int:
        """Return the index of a share."""
        return int(np.abs(self.shares - share).argmin())


def curves_of(laws: Laws, utility: Utility, margin: float | None, draws: int = DRAWS, seed: int = 0) -> Curves:
    """Draw the laws together over all compositions between the measured ones: outside they are not known.

    Knowledge and reading have different items; correlation between their errors within a run is ignored.
    """
    measured = [law.measured for law in laws.by_part.values()]
    shares = np.unique(np.concatenate([law.shares for law in measured]))
    inner = np.arange(round(1 / STEP) + 1) * STEP
    # Measured shares that are not hundredths belong to it, too.
    every = np.unique(np.round(np.concatenate([shares, inner[(inner >= shares.min()) & (inner <= shares.max())]]), 10))
    places = [laws.place(float(share)) for share in every]
    values: dict[str, FloatArray] = {}
    for number, (part, law) in enumerate(laws.by_part.items()):
        paths = law.paths(places, draws, seed + number)
        values[part] = paths[:, :-1]
        values[f"base_{part}"] = np.broadcast_to(paths[:, -1:], values[part].shape)
    return Curves(every, values, utility(values), margin)


def next_cells(curves: Curves, measured: FloatArray, count: int) -> tuple[NextCell, ...]:
    """The ``count`` compositions whose trial is expected to improve most on the ``measured`` shares.

    Expected improvement under a constraint (Gardner et al. 2014, ICML) with incumbents that are themselves uncertain
    (Letham et al. 2019, Bayesian Analysis 14:495-519): in every joint draw the best measured cell that keeps reading
    is the incumbent, and what a candidate that keeps it has more is its improvement. Where no measured cell keeps it
    in a draw, the least utility of the draw stands in, so that any that does is an improvement. A batch is chosen
    one by one, each with those before it taken as run.
    """
    old = np.isclose(curves.shares[:, None], measured[None, :], atol=1e-6).any(axis=1)
    value = np.where(curves.keeps, curves.utility, -np.inf)
    incumbent = value[:, old].max(axis=1)
    incumbent = np.where(np.isfinite(incumbent), incumbent, curves.utility.min(axis=1))
    free = np.logical_not(old)
    cells: list[NextCell] = []
    before = 0.0
    best = incumbent
    while len(cells) < count and free.any():
        gains = np.maximum(value - best[:, None], 0).mean(axis=0)
        chosen = int(np.where(free, gains, -1).argmax())
        if gains[chosen] <= 0:
            break
        before += float(gains[chosen])
        best = np.maximum(best, value[:, chosen])
        free[chosen] = False
        share = float(curves.shares[chosen])
        cells.append(NextCell(ratio=ratio_of(share), share=share, improvement=before))
    return tuple(cells)


def estimate_part(draws: FloatArray) -> LawEstimate:
    """Mean and 95 % quantiles of draws (D,)."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return LawEstimate(value=float(draws.mean()), low=float(low), high=float(high))


def _predicted(mixture: Mixture) -> LawEstimate:
    low, high = (float(mixture.quantile(probability)[0]) for probability in (0.025, 0.975))
    return LawEstimate(value=float(special.expit(mixture.mean[0])), low=low, high=high)


def _shifted(estimate: LawEstimate, by: float) -> LawEstimate:
    return LawEstimate(value=estimate.value + by, low=estimate.low + by, high=estimate.high + by)


def _proves(law: Law, mixture: Mixture, base: float, claim: float, seeds: int) -> float:
    """The probability that the interval of a new measurement, from item noise alone, is above ``claim``."""
    noise = law.measured.noise
    expected = float(special.expit(mixture.mean[0]))
    both = inside(np.array([expected, base]), noise.items)
    item_sd, other = noise.deviations(both) * both * (1 - both)
    mean = item_sd * np.sqrt(noise.near + (1 - noise.near) / seeds)
    error = float(np.sqrt(max(0.0, mean**2 + other**2 - 2 * noise.with_base * item_sd * other)))
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
        truth=estimate_part(values),
        gain=estimate_part(values - curves.values[f"base_{part}"][:, place]),
        measurement=measurement,
        difference=_shifted(measurement, -laws.base[part]),
        proves=_proves(law, mixture, laws.base[part], claim, options.seeds),
    )


def choose_composition(curves: Curves, allowed: FloatArray, confidence: float) -> tuple[int, bool]:
    """Return the index of the best ``allowed`` composition, and whether it keeps reading with enough
    confidence.

    Of those that do, the one of greatest expected utility; where there is none, the one most likely to keep reading.
    """
    places = allowed.astype(np.int64)
    holds, expected = curves.keeps[:, places].mean(axis=0), curves.utility[:, places].mean(axis=0)
    sure = holds >= confidence
    score = np.where(sure, expected, -np.inf) if sure.any() else holds
    return int(places[int(score.argmax())]), bool(sure.any())


def _optimum(curves: Curves) -> tuple[LawEstimate, float]:
    """Where the best composition that keeps reading lies in each draw, and the share of draws that have none."""
    kept = np.where(curves.keeps, curves.utility, -np.inf)
    there = curves.keeps.any(axis=1)
    if not there.any():
        return LawEstimate(
            value=float(curves.shares[-1]), low=float(curves.shares[0]), high=float(curves.shares[-1])
        ), 1.0
    return estimate_part(curves.shares[kept[there].argmax(axis=1)]), float(1 - there.mean())


def _improvement(curves: Curves, place: int, utility: Utility) -> FloatArray:
    base = {
        name: curves.values[name if name.startswith("base_") else f"base_{name}"][:, place] for name in curves.values
    }
    return np.asarray(curves.utility[:, place] - utility(base))


WIDE = 0.5
"""An optimum known only to lie within this share of all that was measured is not known."""


def _word(
    sure: bool, improvement: LawEstimate, optimum: LawEstimate, nowhere: float, reach: float, confidence: float
) -> RecommendationWord:
    """``reach``: how far the measured compositions lie apart."""
    if not sure:
        return "none" if nowhere >= confidence else "cannot tell"
    if improvement.low <= 0:
        return "cannot tell"
    return "not sure" if optimum.high - optimum.low > WIDE * reach else "recommended"


def _sentence(advice: Recommendation) -> str:
    options, improvement = advice.options, advice.improvement
    gain = f"{signed_points(improvement.value)} [{signed_points(improvement.low)}, {signed_points(improvement.high)}]"
    what = "knowledge" if options.utility == UTILITY else f"the utility {options.utility}"
    kept = (
        f", with a probability of {advice.holds:.0%} that reading stays within {100 * options.margin:g} points of base"
        if options.margin is not None
        else ""
    )
    expectation = f"{advice.ratio} general : medical is expected to change {what} by {gain} points{kept}"
    where = f"the truly best share of general data lies between {advice.optimum.low:.0%} and {advice.optimum.high:.0%}"
    if advice.word == "recommended":
        return f"Recommended: {expectation}; {where} (95 %)."
    if advice.word == "not sure":
        return (
            f"Recommended with reserve: {expectation}, but these data hardly say where the best one is: {where} (95 %)."
        )
    if advice.word == "none":
        return (
            f"No composition keeps reading, with a probability of {advice.nowhere:.0%}; "
            f"the nearest to it, {expectation}."
        )
    if options.margin is not None and advice.holds < options.confidence:
        return (
            "The data cannot tell of any composition that it keeps reading with a probability of "
            f"{options.confidence:.0%}: the most promising, {expectation}."
        )
    return f"The data cannot tell whether any composition is better than the base: {expectation}; {where} (95 %)."


def _drawn(curves: Curves, part: str) -> PredictedCurve:
    values = curves.values[part]
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return PredictedCurve(
        part=part, value=tuple(values.mean(axis=0).tolist()), low=tuple(low.tolist()), high=tuple(high.tolist())
    )


def recommend_composition(evidence: Evidence, options: Options, seed: int = 0) -> Recommendation:
    """Fit the laws of both parts and recommend a composition."""
    utility = Utility(options.utility)
    needed = {name.removeprefix("base_") for name in utility.names} | (
        {"reading"} if options.margin is not None else set()
    )
    laws = laws_of(evidence, frozenset(needed), options.amount, seed)
    curves = curves_of(laws, utility, options.margin, seed=seed)
    place, sure = choose_composition(curves, np.arange(len(curves.shares), dtype=np.float64), options.confidence)
    measured = np.unique(np.concatenate([law.measured.shares for law in laws.by_part.values()]))
    best, _ = choose_composition(
        curves, np.array([curves.at(share) for share in measured], dtype=np.float64), options.confidence
    )
    share = float(curves.shares[place])
    optimum, nowhere = _optimum(curves)
    improvement = estimate_part(_improvement(curves, place, utility))
    first = next(iter(laws.by_part.values())).measured
    name = {curves.at(run.place.share): run.cell for run in first.runs if run.place.amount == laws.amount}
    recommendation = Recommendation(
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
        utility=estimate_part(curves.utility[:, place]),
        improvement=improvement,
        best_cell=name.get(best, ratio_of(float(curves.shares[best]))),
        over_best=estimate_part(curves.utility[:, place] - curves.utility[:, best]),
        repeats=name.get(place, ""),
        forecasts=tuple(_forecast(laws, curves, part, share, options) for part in laws.by_part),
        next_cells=next_cells(curves, measured, options.batch),
        shares=tuple(curves.shares.tolist()),
        curves=tuple(_drawn(curves, part) for part in laws.by_part),
        keeps=tuple(curves.keeps.mean(axis=0).tolist()),
        sentence="",
        notes=evidence.notes,
    )
    return recommendation.model_copy(update={"sentence": _sentence(recommendation)})
