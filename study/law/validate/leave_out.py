"""Validation: predict what was left out, and compare with what was measured there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy import special, stats
from statsmodels.stats.proportion import proportion_confint

from study.law.evidence.points import DesignPoint, Measured, MeasuredRun
from study.law.model.fit import fit
from study.law.records import BASELINES, METHODS, Advantage, HeldOut, LeftOut, Validation
from study.law.validate import baselines

KEYS: Mapping[LeftOut, Callable[[MeasuredRun], object]] = {
    "cell": lambda run: run.cell,
    "ratio": lambda run: run.place.share,
    "amount": lambda run: run.place.amount,
    "size": lambda run: run.place.size,
}


def _groups(measured: Measured, by: LeftOut) -> Iterator[tuple[Measured, list[MeasuredRun]]]:
    key = KEYS[by]
    for value in dict.fromkeys(key(run) for run in measured.runs):
        left = [run for run in measured.runs if key(run) == value]
        kept = measured.only(lambda run, value=value: key(run) != value)  # type: ignore[misc]
        if len(kept.cells) > 1:
            yield kept, left


def _coordinate(place: DesignPoint, by: LeftOut) -> float:
    if by == "amount":
        return place.amount or 0.0
    return (place.size or 0.0) if by == "size" else place.share


def _between(kept: Measured, place: DesignPoint, by: LeftOut) -> bool:
    """Whether cells stand on both sides of a place on the axis that was left out (of a cell: on one that varies)."""
    axes: tuple[LeftOut, ...] = ("ratio", "amount", "size") if by == "cell" else (by,)
    for axis in axes:
        values = [_coordinate(run.place, axis) for run in kept.runs]
        if min(values) < max(values) and not min(values) <= _coordinate(place, axis) <= max(values):
            return False
    return True


def _predicted(kept: Measured, left: Sequence[MeasuredRun], by: LeftOut) -> Iterator[HeldOut]:
    law, process = fit(kept), baselines.process(kept)
    for cell in dict.fromkeys(run.cell for run in left):
        runs = [run for run in left if run.cell == cell]
        place = runs[0].place
        prediction = law.run(place)
        low, high = (float(prediction.quantile(probability)[0]) for probability in (0.025, 0.975))
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
                "law": float(special.expit(prediction.mean[0])),
                "process": middle,
                "straight": baselines.straight(kept, place),
                "nearest": baselines.nearest(kept, place),
            },
            between=_between(kept, place, by),
        )


def _errors(cells: Sequence[HeldOut]) -> dict[str, float]:
    return {method: float(np.mean([abs(cell.error(method)) for cell in cells])) for method in METHODS}


def _advantage(groups: Sequence[Sequence[HeldOut]], baseline: str) -> Advantage:
    gains = np.array(
        [np.mean([abs(cell.error(baseline)) - abs(cell.error("law")) for cell in group]) for group in groups]
    )
    value = float(gains.mean())
    if len(gains) < 3:
        return Advantage(value=value)
    half = float(stats.t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains)))
    return Advantage(value=value, low=value - half, high=value + half)


NAMES = {"straight": "a straight line between cells", "nearest": "the nearest cell"}


def _sentence(
    part: str, by: LeftOut, errors: Mapping[str, float], advantages: Mapping[str, Advantage], cells: int
) -> str:
    """Against the stronger rival: what beats the weaker one alone is no use."""
    baseline = min(BASELINES, key=lambda name: errors[name])
    advantage = advantages[baseline]
    claim = (
        f"Leaving out one {by} at a time ({part}, {cells} predictions), the law errs by {100 * errors['law']:.1f} "
        f"points on average, {NAMES[baseline]} by {100 * errors[baseline]:.1f}"
    )
    if advantage.low is None or advantage.high is None:
        return f"{claim}; too few to say which predicts better."
    if advantage.low > 0:
        return f"{claim}: the law predicts better."
    return f"{claim}: {NAMES[baseline]} predicts better." if advantage.high < 0 else f"{claim}: no sure difference."


def validate(measured: Measured, by: LeftOut) -> Validation | None:
    """Leave out every cell, ratio, amount or size in turn; nothing where there are fewer than three of them."""
    groups = [list(_predicted(kept, left, by)) for kept, left in _groups(measured, by)]
    if len(groups) < 3:
        return None
    cells = [cell for group in groups for cell in group]
    covered, runs = sum(cell.inside for cell in cells), sum(len(cell.measured) for cell in cells)
    low, high = proportion_confint(covered, runs, method="beta")
    between = [cell for cell in cells if cell.between]
    errors = _errors(cells)
    advantages = {baseline: _advantage(groups, baseline) for baseline in BASELINES}
    return Validation(
        part=measured.part,
        by=by,
        held_out=tuple(cells),
        covered=covered,
        runs=runs,
        coverage=(float(low), float(high)),
        covered_process=sum(cell.inside_process for cell in cells),
        errors=errors,
        errors_between=_errors(between) if between else {},
        advantages=advantages,
        sentence=_sentence(measured.part, by, errors, advantages, len(cells)),
    )


def groupings(measured: Measured) -> tuple[LeftOut, ...]:
    """By what to leave out: cells always; of an axis that is crossed with another, whole values too.

    An axis that only some cells vary on is none: without its value that the others share, nothing is left to learn
    from.
    """
    left_out: list[LeftOut] = ["cell"]
    for axis in ("ratio", "amount", "size"):
        cells: dict[object, set[str]] = {}
        for run in measured.runs:
            cells.setdefault(KEYS[axis](run), set()).add(run.cell)
        if len(cells) > 2 and all(len(of_cell) > 1 for of_cell in cells.values()):
            left_out.append(axis)
    return tuple(left_out)
