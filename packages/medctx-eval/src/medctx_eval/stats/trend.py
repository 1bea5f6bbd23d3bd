"""Does the loss grow with the length of the Book, or with where the evidence lies? One model for all rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from scipy import stats
from statsmodels.genmod.cov_struct import Independence
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_estimating_equations import GEE
from statsmodels.tools.sm_exceptions import ModelWarning

from medctx.schemas.records import Record
from medctx.schemas.report import FEWEST, LEVEL
from medctx_eval.stats.answers import Answers
from medctx_eval.stats.clusters import FEW, FloatArray, IntArray, clusters_of

Shape = Literal["length", "depth", "edge"]
TermName = Literal["start", "length", "depth", "edge", "model", "model x length", "model x depth", "model x edge"]
LARGEST = 2000
"""Rows up to which a cluster's errors are bias-reduced: the correction inverts a matrix of that size."""

_CROSSED: dict[Shape, TermName] = {"length": "model x length", "depth": "model x depth", "edge": "model x edge"}
_COMPARED: dict[str, str] = {
    "length": "for every doubling of the Book",
    "depth": "from evidence at the front to evidence at the back of the Book",
    "edge": "from evidence in the middle to evidence at either end of the Book",
}


class Term(Record):
    """One coefficient in log odds of a right answer with its 95 % interval; ``meaning`` says in words what it compares.

    ``start`` is base, ``model`` the tuned model against base; ``length``, ``depth`` and ``edge`` are how base changes,
    ``model x length`` and so on how much more than base the tuned model does.
    """

    name: TermName
    value: float
    low: float
    high: float
    p: float = Field(ge=0, le=1)
    meaning: str

    @property
    def odds(self) -> float:
        """The factor exp(value) on the odds: below 1 where right answers become rarer."""
        return float(np.exp(self.value))


class Trend(Record):
    """A logistic model of being right under ``open`` Conditions, over ``rows`` answers of base and tuned model.

    Generalised estimating equations (Liang and Zeger 1986, Biometrika 73:13-22) with independence as working
    correlation, which stays right where length and depth differ within a cluster (Pepe and Anderson 1994,
    Communications in Statistics - Simulation 23:939-951); errors robust to clusters, t quantiles with
    ``clusters`` - 1 degrees of freedom, and below 30 clusters bias-reduced errors (Mancl and DeRouen 2001,
    Biometrics 57:126-134) where ``bias_reduced`` says so. Terms hold at a Book of ``tokens`` tokens (the geometric
    mean) with the evidence halfway between front and back, and halfway between middle and end.
    """

    rows: int
    clusters: int
    few_clusters: bool
    bias_reduced: bool
    tokens: float
    terms: tuple[Term, ...]


def _shapes(answers: Answers, rows: IntArray) -> tuple[dict[Shape, FloatArray], float]:
    """Doublings of length, depth and nearness to an end of each row, centred, where rows differ in them; and the
    tokens of the Book at the centre.
    """
    places = [answers.places[code] for code in answers.condition[rows].tolist()]
    tokens = np.array([place.tokens or 1 for place in places], dtype=np.float64)
    if answers.tokens is not None:
        tokens = np.where(answers.tokens[rows] > 0, answers.tokens[rows], tokens)
    depth = np.array([0.5 if place.depth is None else place.depth for place in places])
    found: dict[Shape, FloatArray] = {}
    doublings = np.log2(tokens)
    if np.ptp(doublings) > 0:
        found["length"] = doublings - doublings.mean()
    if np.ptp(depth) > 0:
        found["depth"] = depth - 0.5
    if len(np.unique(depth)) > 2:
        found["edge"] = np.abs(2 * depth - 1) - 0.5
    return found, float(2 ** doublings.mean())


def _meaning(name: TermName, tokens: float) -> str:
    if name == "start":
        return f"base in a Book of {tokens:,.0f} tokens"
    if name == "model":
        return f"the tuned model against base in a Book of {tokens:,.0f} tokens"
    own, _, compared = name.rpartition(" x ")
    return f"{'the tuned model, beyond base,' if own else 'base'} {_COMPARED[compared]}"


def _design(shapes: dict[Shape, FloatArray], rows: int, runs: int, tuned: int) -> tuple[list[TermName], FloatArray]:
    """Columns for ``runs`` runs stacked, the first ``tuned`` of which are the tuned model's."""
    model = np.repeat([1.0] * tuned + [0.0] * (runs - tuned), rows)
    columns: dict[TermName, FloatArray] = {"start": np.ones(rows * runs), "model": model}
    for name, values in shapes.items():
        columns[name] = np.tile(values, runs)
        columns[_CROSSED[name]] = model * columns[name]
    return list(columns), np.column_stack(list(columns.values()))


def _term(name: TermName, value: float, error: float, df: int, tokens: float) -> Term:
    reach = float(stats.t.ppf((1 + LEVEL) / 2, df)) * error
    return Term(
        name=name,
        value=value,
        low=value - reach,
        high=value + reach,
        p=float(2 * stats.t.sf(abs(value) / error, df)),
        meaning=_meaning(name, tokens),
    )


def _fit(right: FloatArray, design: FloatArray, groups: IntArray, bias_reduced: bool) -> tuple[FloatArray, FloatArray]:
    """Coefficients and their standard errors; not a number where the model does not converge."""
    order = np.argsort(groups, kind="stable")
    model = GEE(right[order], design[order], groups=groups[order], family=Binomial(), cov_struct=Independence())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        found = model.fit(cov_type="bias_reduced" if bias_reduced else "robust")
    values = np.asarray(found.params) if found.converged else np.full(design.shape[1], np.nan)
    return values, np.asarray(found.bse)


def trend(answers: Answers, tuned: Sequence[int], base: Sequence[int]) -> Trend | None:
    """Fit the model to the runs of a tuned cell and base; nothing where rows or clusters do not allow it."""
    rows = np.flatnonzero(answers.of("open"))
    if not len(rows):
        return None
    runs = [*tuned, *base]
    right = answers.correct[runs][:, rows].astype(np.float64)
    known = clusters_of(answers.clusters[rows])
    sides = (right[: len(tuned)].mean(), right[len(tuned) :].mean())
    if known.count < FEWEST or min(sides) == 0 or max(sides) == 1:
        return None
    shapes, tokens = _shapes(answers, rows)
    names, design = _design(shapes, len(rows), len(runs), len(tuned))
    if np.linalg.matrix_rank(design.T @ design) < len(names):
        return None
    bias_reduced = known.count < FEW and int(known.sizes.max()) * len(runs) <= LARGEST
    values, errors = _fit(right.ravel(), design, np.tile(known.index, len(runs)), bias_reduced)
    if not np.isfinite([values, errors]).all():
        return None
    return Trend(
        rows=right.size,
        clusters=known.count,
        few_clusters=known.count < FEW,
        bias_reduced=bias_reduced,
        tokens=tokens,
        terms=tuple(
            _term(name, value, error, known.count - 1, tokens)
            for name, value, error in zip(names, values.tolist(), errors.tolist(), strict=True)
        ),
    )
