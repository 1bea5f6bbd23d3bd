"""A fitted law as a record: its parameters with intervals, and its curves over composition and amount."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from study.law.evidence.points import DesignPoint, FloatArray, Measured
from study.law.model.fit import Law, fit
from study.law.records import LawCurve, LawPart, Parameter, RunPoint, Unit

SHARES = 101
AMOUNTS = 61
EFFECT_DRAWS = 2000
LEVELS = (0.025, 0.5, 0.975)
LEVEL_TERMS = ("medical only", "general only", "level")


def _quantiles(values: FloatArray, weights: FloatArray) -> tuple[float, float, float]:
    """Median and 95 % interval of weighted values (H,)."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    last = len(values) - 1
    low, middle, high = (float(values[order][min(int(np.searchsorted(below, p)), last)]) for p in LEVELS)
    return middle, low, high


def _effects(law: Law) -> Iterator[Parameter]:
    """What the largest amount and model add to the smallest, at the reference of everything else."""
    form, middle = law.form, float(np.median(law.measured.shares))
    size = float(np.exp(form.sizes[0])) if law.measured.runs[0].place.size else None
    amount = form.amount if law.measured.runs[0].place.amount else None
    pairs = {}
    if form.amount_varies:
        pairs["from least to most data"] = [DesignPoint(middle, extreme, size) for extreme in form.amounts]
    if form.size_varies:
        pairs["from smallest to largest"] = [
            DesignPoint(middle, amount, float(np.exp(log_size))) for log_size in form.sizes
        ]
    for name, places in pairs.items():
        paths = law.paths(places, EFFECT_DRAWS)
        low, high = np.quantile(paths[:, 1] - paths[:, 0], [0.025, 0.975])
        value = float((paths[:, 1] - paths[:, 0]).mean())
        yield Parameter(name=name, unit="points", value=value, low=float(low), high=float(high))


def _parameters(law: Law) -> Iterator[Parameter]:
    coefficients = law.coefficients()
    low, middle, high = (special.expit(coefficients.logits(level)) for level in LEVELS)
    for number, (name, _) in enumerate(law.form.terms):
        if name in LEVEL_TERMS:
            ends = float(middle[number]), float(low[number]), float(high[number])
            yield Parameter(name=name, unit="accuracy", value=ends[0], low=ends[1], high=ends[2])
    yield from _effects(law)
    spreads = {"between runs": law.draws.run_sd, "around the form": law.draws.misfit_sd}
    if law.form.size_varies:
        spreads["between base models"] = law.draws.size_sd
    for name, values in {**law.draws.bends, **spreads}.items():
        value, bottom, top = _quantiles(values, law.weights)
        unit: Unit = "logits" if name in spreads else "bend"
        yield Parameter(name=name, unit=unit, value=value, low=bottom, high=top)


def _curve(law: Law, over: str, at: FloatArray, places: list[DesignPoint]) -> LawCurve:
    truth = law.truth(places)
    low, high = truth.quantile(0.025), truth.quantile(0.975)
    return LawCurve(
        over=over,
        amount=places[0].amount if over == "ratio" else None,
        size=places[0].size,
        share=places[0].share if over == "amount" else None,
        at=tuple(at.tolist()),
        value=tuple(special.expit(truth.mean).tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )


def _curves(law: Law) -> Iterator[LawCurve]:
    """Over the composition for every amount and size with two of them or more, and over the amount likewise."""
    places = [run.place for run in law.measured.runs]
    for amount, size in dict.fromkeys((place.amount, place.size) for place in places):
        shares = {place.share for place in places if (place.amount, place.size) == (amount, size)}
        if len(shares) > 1:
            at = np.linspace(min(shares), max(shares), SHARES)
            yield _curve(law, "ratio", at, [DesignPoint(float(share), amount, size) for share in at])
    for share, size in dict.fromkeys((place.share, place.size) for place in places):
        amounts = {place.amount for place in places if (place.share, place.size) == (share, size) and place.amount}
        if len(amounts) > 1:
            at = np.geomspace(min(amounts), max(amounts), AMOUNTS)
            yield _curve(law, "amount", at, [DesignPoint(share, float(amount), size) for amount in at])


def law_part(measured: Measured, seed: int) -> LawPart:
    """Fit the law of one part and describe it."""
    law = fit(measured, seed)
    points = (
        RunPoint(
            cell=run.cell,
            share=run.place.share,
            amount=run.place.amount,
            size=run.place.size,
            seed=run.seed,
            accuracy=run.accuracy,
        )
        for run in measured.runs
    )
    return LawPart(
        part=measured.part,
        base=measured.base,
        noise=measured.noise,
        points=tuple(points),
        parameters=tuple(_parameters(law)),
        curves=tuple(_curves(law)),
    )
