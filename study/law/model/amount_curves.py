"""Curves over the amount of training data, fitted by least squares.

Four of logit accuracy over the amount D at one composition and size:

- constant: a
- rising: a + b ln D
- exponential: a + b (1 - exp(-D / d)), the approach to a limit (the amount term of the law)
- change-point: a + b ln min(D, c), rising up to c and level from there

Errors are those between runs, of equal variance and unknown size; runs that repeat a cell anywhere in the study tell of
it without any curve (pure error: Draper and Smith 1998, Applied Regression Analysis, section 2.1), so their squares and
degrees of freedom are added to the residuals'. Chance in the items is mostly shared by all runs and drops out of the
curve. AICc ranks the curves (Hurvich and Tsai 1989, Biometrika 76:297-307).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from study.law.evidence.points import FloatArray, Measured, inside
from study.law.records import CurveName, FittedCurve

CURVES: dict[CurveName, int] = {"constant": 1, "rising": 2, "exponential": 3, "change-point": 3}
"""Parameters of each curve."""
LEVEL = 0.95
GRID = 200


def _columns(curve: CurveName, amounts: FloatArray, bend: float) -> FloatArray:
    """Regressors (R, 1 or 2) of a curve with its scale or change-point given."""
    ones = np.ones_like(amounts)
    if curve == "constant":
        return ones[:, None]
    if curve == "rising":
        return np.stack([ones, np.log(amounts)], axis=1)
    if curve == "exponential":
        return np.stack([ones, -np.expm1(-amounts / bend)], axis=1)
    return np.stack([ones, np.log(np.minimum(amounts, bend))], axis=1)


def _squares(columns: FloatArray, values: FloatArray) -> tuple[float, FloatArray]:
    coefficients, *_ = np.linalg.lstsq(columns, values, rcond=None)
    return float(np.square(values - columns @ coefficients).sum()), np.asarray(coefficients, dtype=np.float64)


def _bends(curve: CurveName, amounts: FloatArray) -> FloatArray:
    """Candidates for the scale, or for the change-point: between the second amount and the last, where it is level
    after.
    """
    places = np.unique(amounts)
    if curve == "exponential":
        return np.geomspace(places[0] / 5, places[-1] * 5, GRID)
    return np.geomspace(places[0] * 1.001, places[-1], GRID)


class BestFit(NamedTuple):
    """A curve at its least squares: the bend and coefficients there, and the squares at every candidate bend."""

    squares: float
    bend: float
    coefficients: FloatArray
    profile: FloatArray


def best(curve: CurveName, amounts: FloatArray, values: FloatArray) -> BestFit:
    """Fit a curve to logit accuracies ``values`` (R,) at ``amounts`` (R,)."""
    bends = _bends(curve, amounts) if CURVES[curve] == 3 else np.array([1.0])
    fits = [_squares(_columns(curve, amounts, float(bend)), values) for bend in bends]
    profile = np.array([squares for squares, _ in fits])
    best = int(profile.argmin())
    return BestFit(float(profile[best]), float(bends[best]), fits[best][1], profile)


def _aicc(squares: float, runs: int, parameters: int) -> float | None:
    """AICc of a least-squares fit; the variance counts as a parameter. Nothing where runs are too few for it."""
    parameters += 1
    if runs - parameters - 1 <= 0:
        return None
    return float(runs * np.log(max(squares, 1e-12) / runs) + 2 * parameters * runs / (runs - parameters - 1))


class PureError(NamedTuple):
    """Squares in logits and degrees of freedom between runs that repeat the same cell."""

    squares: float = 0.0
    df: int = 0


NO_RUNS = PureError()


def pure_error(measured: Measured) -> PureError:
    """What the repeated cells of a study say of the difference between runs."""
    values, cells = logits(measured), [run.place for run in measured.runs]
    squares, df = 0.0, 0
    for place in set(cells):
        in_cell = values[[cell == place for cell in cells]]
        squares += float(np.square(in_cell - in_cell.mean()).sum())
        df += len(in_cell) - 1
    return PureError(squares, df)


def logits(measured: Measured) -> FloatArray:
    """(R,) logit accuracies of runs."""
    return np.asarray(special.logit(inside(measured.accuracies, measured.noise.items)))


def p_of(larger: float, smaller: float, more: int, df: int, elsewhere: PureError) -> float | None:
    """P of the F test that ``more`` parameters buy nothing: squares without and with them, ``df`` left with them."""
    if df + elsewhere.df < 1:
        return None
    variance = max((smaller + elsewhere.squares) / (df + elsewhere.df), 1e-12)
    return float(stats.f.sf(max(0.0, larger - smaller) / more / variance, more, df + elsewhere.df))


def change_interval(
    amounts: FloatArray, profile: FloatArray, elsewhere: PureError
) -> tuple[float | None, float | None]:
    """Ends of the change-point's interval; nothing where it goes on beyond the amounts measured."""
    df = len(amounts) - CURVES["change-point"] + elsewhere.df
    if df < 1:
        return None, None
    limit = (profile.min() + elsewhere.squares) * stats.f.ppf(LEVEL, 1, df) / df
    kept = np.flatnonzero(profile - profile.min() <= limit)
    bends = _bends("change-point", amounts)
    first, last = int(kept[0]), int(kept[-1])
    return None if first == 0 else float(bends[first]), None if last == GRID - 1 else float(bends[last])


def effect_of(
    amounts: FloatArray, values: FloatArray, elsewhere: PureError
) -> tuple[float, float | None, float | None]:
    """The gain of the rising curve over all amounts, in accuracy at its middle, and its interval."""
    columns = _columns("rising", amounts, 1.0)
    squares, coefficients = _squares(columns, values)
    span = np.log(amounts.max() / amounts.min())
    middle = special.expit(values.mean())
    scale = float(span * middle * (1 - middle))
    df = len(amounts) - 2 + elsewhere.df
    if df < 1:
        return scale * float(coefficients[1]), None, None
    error = np.sqrt((squares + elsewhere.squares) / df * np.linalg.inv(columns.T @ columns)[1, 1])
    half = float(stats.t.ppf((1 + LEVEL) / 2, df) * error)
    return (
        scale * float(coefficients[1]),
        scale * float(coefficients[1] - half),
        scale * float(coefficients[1] + half),
    )


def drawn(amounts: FloatArray, best: Mapping[CurveName, BestFit]) -> tuple[FittedCurve, ...]:
    """The fitted curves as they are drawn, ranked by AICc."""
    at = np.geomspace(amounts.min(), amounts.max(), 60)
    ranks = {curve: _aicc(curve_fit.squares, len(amounts), CURVES[curve]) for curve, curve_fit in best.items()}
    least = min((rank for rank in ranks.values() if rank is not None), default=0.0)
    return tuple(
        FittedCurve(
            curve=curve,
            parameters=CURVES[curve],
            squares=curve_fit.squares,
            behind=None if (rank := ranks[curve]) is None else rank - least,
            at=tuple(at.tolist()),
            accuracies=tuple(special.expit(_columns(curve, at, curve_fit.bend) @ curve_fit.coefficients).tolist()),
        )
        for curve, curve_fit in best.items()
    )
