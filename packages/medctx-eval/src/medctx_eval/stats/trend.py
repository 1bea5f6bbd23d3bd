"""Whether a loss grows with the length of the Book or the position of the evidence: one model for all answers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import special

from medctx.schemas.statistics import FEW_CLUSTERS, LEVEL, MIN_CLUSTERS, TermName, Trend, TrendTerm
from medctx_eval.stats.answers import Answers
from medctx_eval.stats.clusters import FloatArray, IntArray, clusters_of

Covariate = Literal["length", "depth", "edge"]
LARGEST_CLUSTER = 2000
"""Answers per cluster up to which errors are bias-reduced; the correction inverts a matrix of that size."""

_INTERACTIONS: dict[Covariate, TermName] = {
    "length": "model x length",
    "depth": "model x depth",
    "edge": "model x edge",
}
_CONTRASTS: dict[str, str] = {
    "length": "for every doubling of the Book",
    "depth": "from evidence at the front to evidence at the back of the Book",
    "edge": "from evidence in the middle to evidence at either end of the Book",
}


def _covariates(answers: Answers, rows: IntArray) -> tuple[dict[Covariate, FloatArray], float]:
    """Doublings of length, depth and nearness to an end of each row, centred, as far as rows differ in them; and the
    tokens of the Book at the centre.
    """
    conditions = [answers.parsed_conditions[code] for code in answers.condition[rows].tolist()]
    tokens = np.array([condition.tokens or 1 for condition in conditions], dtype=np.float64)
    if answers.tokens is not None:
        tokens = np.where(answers.tokens[rows] > 0, answers.tokens[rows], tokens)
    depth = np.array([0.5 if condition.depth is None else condition.depth for condition in conditions])
    covariates: dict[Covariate, FloatArray] = {}
    doublings = np.log2(tokens)
    if np.ptp(doublings) > 0:
        covariates["length"] = doublings - doublings.mean()
    if np.ptp(depth) > 0:
        covariates["depth"] = depth - 0.5
    if len(np.unique(depth)) > 2:
        covariates["edge"] = np.abs(2 * depth - 1) - 0.5
    return covariates, float(2 ** doublings.mean())


def _meaning(name: TermName, tokens: float) -> str:
    if name == "start":
        return f"base in a Book of {tokens:,.0f} tokens"
    if name == "model":
        return f"the tuned model against base in a Book of {tokens:,.0f} tokens"
    interaction, _, covariate = name.rpartition(" x ")
    return f"{'the tuned model, beyond base,' if interaction else 'base'} {_CONTRASTS[covariate]}"


def _design(
    covariates: dict[Covariate, FloatArray], rows: int, runs: int, tuned: int
) -> tuple[list[TermName], FloatArray]:
    """Design matrix of ``runs`` stacked runs, the first ``tuned`` of which belong to the tuned model."""
    model = np.repeat([1.0] * tuned + [0.0] * (runs - tuned), rows)
    columns: dict[TermName, FloatArray] = {"start": np.ones(rows * runs), "model": model}
    for name, values in covariates.items():
        columns[name] = np.tile(values, runs)
        columns[_INTERACTIONS[name]] = model * columns[name]
    return list(columns), np.column_stack(list(columns.values()))


def _term(name: TermName, value: float, error: float, df: int, tokens: float) -> TrendTerm:
    half_width = float(special.stdtrit(df, (1 + LEVEL) / 2)) * error
    return TrendTerm(
        name=name,
        value=value,
        low=value - half_width,
        high=value + half_width,
        p=float(2 * special.stdtr(df, -abs(value) / error)),
        meaning=_meaning(name, tokens),
    )


def _fit(right: FloatArray, design: FloatArray, groups: IntArray, bias_reduced: bool) -> tuple[FloatArray, FloatArray]:
    """Coefficients and their standard errors; NaN if the model does not converge."""
    # Half of the start of a report, and needed only where the lengths of Books differ.
    from statsmodels.genmod.cov_struct import Independence
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE
    from statsmodels.tools.sm_exceptions import ModelWarning

    order = np.argsort(groups, kind="stable")
    model = GEE(right[order], design[order], groups=groups[order], family=Binomial(), cov_struct=Independence())
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ModelWarning)
        fitted = model.fit(cov_type="bias_reduced" if bias_reduced else "robust")
        errors = np.asarray(fitted.bse)
    values = np.asarray(fitted.params) if fitted.converged else np.full(design.shape[1], np.nan)
    return values, errors


def trend(answers: Answers, tuned: Sequence[int], base: Sequence[int]) -> Trend | None:
    """Fit the model to the runs ``tuned`` and ``base``; None if rows or clusters do not allow it."""
    rows = np.flatnonzero(answers.under("open"))
    if not len(rows):
        return None
    runs = [*tuned, *base]
    right = answers.correct[runs][:, rows].astype(np.float64)
    grouping = clusters_of(answers.clusters[rows])
    sides = (right[: len(tuned)].mean(), right[len(tuned) :].mean())
    if grouping.count < MIN_CLUSTERS or min(sides) == 0 or max(sides) == 1:
        return None
    covariates, tokens = _covariates(answers, rows)
    names, design = _design(covariates, len(rows), len(runs), len(tuned))
    if np.linalg.matrix_rank(design.T @ design) < len(names):
        return None
    few = grouping.count < FEW_CLUSTERS
    bias_reduced = few and int(grouping.sizes.max()) * len(runs) <= LARGEST_CLUSTER
    values, errors = _fit(right.ravel(), design, np.tile(grouping.index, len(runs)), bias_reduced)
    if not np.isfinite([values, errors]).all():
        return None
    return Trend(
        rows=right.size,
        clusters=grouping.count,
        few_clusters=few,
        bias_reduced=bias_reduced,
        tokens=tokens,
        terms=tuple(
            _term(name, value, error, grouping.count - 1, tokens)
            for name, value, error in zip(names, values.tolist(), errors.tolist(), strict=True)
        ),
    )
