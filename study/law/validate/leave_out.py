"""Validation: predict what was left out, and compare with what was measured there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from scipy import special, stats
from statsmodels.stats.proportion import proportion_confint

from medctx.schemas.records import Record
from study.law.evidence.points import Measured, Place, Run
from study.law.model.fit import fit
from study.law.validate import baselines as rivals

By = Literal["cell", "ratio", "amount", "size"]
KEYS: Mapping[By, Callable[[Run], object]] = {
    "cell": lambda run: run.cell,
    "ratio": lambda run: run.place.share,
    "amount": lambda run: run.place.amount,
    "size": lambda run: run.place.size,
}
RIVALS = ("straight", "nearest")
METHODS = ("law", "process", *RIVALS)


class HeldOut(Record):
    """One cell that the law was not shown; accuracies in [0, 1].

    ``measured``: its runs; ``low`` and ``high``: the law's 95 % prediction interval of one new run on the same exam, in
    which ``inside`` of them lie; ``predictions`` by method. ``between``: whether it lies between others on the axis
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
        return sum(self.low <= one <= self.high for one in self.measured)

    @property
    def inside_process(self) -> int:
        """Runs in the Gaussian process's interval."""
        return sum(self.process_low <= one <= self.process_high for one in self.measured)

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
    by: By
    held_out: tuple[HeldOut, ...] = Field(min_length=1)
    covered: int
    runs: int
    coverage: tuple[float, float]
    covered_process: int
    errors: dict[str, float]
    errors_between: dict[str, float]
    advantages: dict[str, Advantage]
    sentence: str


def _groups(measured: Measured, by: By) -> Iterator[tuple[Measured, list[Run]]]:
    key = KEYS[by]
    for value in dict.fromkeys(key(run) for run in measured.runs):
        left = [run for run in measured.runs if key(run) == value]
        kept = measured.only(lambda run, value=value: key(run) != value)  # type: ignore[misc]
        if len(kept.cells) > 1:
            yield kept, left


def _coordinate(place: Place, by: By) -> float:
    if by == "amount":
        return place.amount or 0.0
    return (place.size or 0.0) if by == "size" else place.share


def _between(kept: Measured, place: Place, by: By) -> bool:
    """Whether cells stand on both sides of a place on the axis that was left out (of a cell: on one that varies)."""
    axes: tuple[By, ...] = ("ratio", "amount", "size") if by == "cell" else (by,)
    for axis in axes:
        values = [_coordinate(run.place, axis) for run in kept.runs]
        if min(values) < max(values) and not min(values) <= _coordinate(place, axis) <= max(values):
            return False
    return True


def _predicted(kept: Measured, left: Sequence[Run], by: By) -> Iterator[HeldOut]:
    law, process = fit(kept), rivals.process(kept)
    for cell in dict.fromkeys(run.cell for run in left):
        runs = [run for run in left if run.cell == cell]
        place = runs[0].place
        found = law.run(place)
        low, high = (float(found.quantile(probability)[0]) for probability in (0.025, 0.975))
        process_low, middle, process_high = (float(process.run([place], p)[0]) for p in (0.025, 0.5, 0.975))
        yield HeldOut(
            cell=cell,
            share=place.share,
            amount=place.amount,
            size=place.size,
            measured=tuple(run.accuracy for run in runs),
            low=low,
            high=high,
            process_low=process_low,
            process_high=process_high,
            predictions={
                "law": float(special.expit(found.mean[0])),
                "process": middle,
                "straight": rivals.straight(kept, place),
                "nearest": rivals.nearest(kept, place),
            },
            between=_between(kept, place, by),
        )


def _errors(cells: Sequence[HeldOut]) -> dict[str, float]:
    return {method: float(np.mean([abs(one.error(method)) for one in cells])) for method in METHODS}


def _advantage(groups: Sequence[Sequence[HeldOut]], rival: str) -> Advantage:
    gains = np.array([np.mean([abs(one.error(rival)) - abs(one.error("law")) for one in group]) for group in groups])
    value = float(gains.mean())
    if len(gains) < 3:
        return Advantage(value=value)
    half = float(stats.t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains)))
    return Advantage(value=value, low=value - half, high=value + half)


NAMES = {"straight": "a straight line between cells", "nearest": "the nearest cell"}


def _sentence(part: str, by: By, errors: Mapping[str, float], advantages: Mapping[str, Advantage], cells: int) -> str:
    """Against the stronger rival: what beats the weaker one alone is no use."""
    rival = min(RIVALS, key=lambda name: errors[name])
    found = advantages[rival]
    told = (
        f"Leaving out one {by} at a time ({part}, {cells} predictions), the law errs by {100 * errors['law']:.1f} "
        f"points on average, {NAMES[rival]} by {100 * errors[rival]:.1f}"
    )
    if found.low is None or found.high is None:
        return f"{told}; too few to say which predicts better."
    if found.low > 0:
        return f"{told}: the law predicts better."
    return f"{told}: {NAMES[rival]} predicts better." if found.high < 0 else f"{told}: no sure difference."


def validate(measured: Measured, by: By) -> Validation | None:
    """Leave out every cell, ratio, amount or size in turn; nothing where there are fewer than three of them."""
    groups = [list(_predicted(kept, left, by)) for kept, left in _groups(measured, by)]
    if len(groups) < 3:
        return None
    cells = [one for group in groups for one in group]
    covered, runs = sum(one.inside for one in cells), sum(len(one.measured) for one in cells)
    low, high = proportion_confint(covered, runs, method="beta")
    between = [one for one in cells if one.between]
    errors = _errors(cells)
    advantages = {rival: _advantage(groups, rival) for rival in RIVALS}
    return Validation(
        part=measured.part,
        by=by,
        held_out=tuple(cells),
        covered=covered,
        runs=runs,
        coverage=(float(low), float(high)),
        covered_process=sum(one.inside_process for one in cells),
        errors=errors,
        errors_between=_errors(between) if between else {},
        advantages=advantages,
        sentence=_sentence(measured.part, by, errors, advantages, len(cells)),
    )


def groupings(measured: Measured) -> tuple[By, ...]:
    """By what to leave out: cells always; of an axis that is crossed with another, whole values too.

    An axis that only some cells vary on is none: without its value that the others share, nothing is left to learn
    from.
    """
    found: list[By] = ["cell"]
    for axis in ("ratio", "amount", "size"):
        cells: dict[object, set[str]] = {}
        for run in measured.runs:
            cells.setdefault(KEYS[axis](run), set()).add(run.cell)
        if len(cells) > 2 and all(len(own) > 1 for own in cells.values()):
            found.append(axis)
    return tuple(found)
