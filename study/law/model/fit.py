"""Fitting the law: a weighted set of its non-linear parameters, in each of which everything else is Gaussian.

Logit accuracies y = X(bends) b + g + e + i: ``b`` the linear coefficients; ``g`` a smooth deviation of the truth
from the form (Kennedy and O'Hagan 2001, J. R. Stat. Soc. B 63:425-464), so that a wrong form widens intervals
instead of making them wrong; ``e`` what runs that differ in their seed alone differ by; ``i`` chance in the choice
of items, correlated between runs that answered the same ones. Given the bends and the two standard deviations of
``g`` and ``e``, all is linear and Gaussian and is integrated exactly; over these few numbers it is summed by
importance sampling on Sobol points, twice: from the prior, then from a proposal that covers the region of high weight
(Owen 2013, Monte Carlo theory, methods and examples, chapter 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats
from scipy.stats import qmc

from study.law.evidence.points import DesignPoint, FloatArray, Measured, inside
from study.law.model.form import LEVEL_SD, LawForm

RUN_SD, MISFIT_SD, SIZE_SD = 0.15, 0.2, 0.15
"""Scales of the priors of the standard deviations, in logits, of runs (0.1 is 2.5 points at 50 %) and of the truth
around the form: half-t with four degrees of freedom (Gelman 2006, Bayesian Analysis 1:515-534)."""
POINTS = 1024
BORDER = 1e9
KEPT = 256
SPREAD = 1.4


@dataclass(frozen=True)
class Draws:
    """H values of everything the law is not linear in; ``run_sd`` and ``misfit_sd`` (H,) in logits."""

    bends: dict[str, FloatArray]
    run_sd: FloatArray
    misfit_sd: FloatArray
    size_sd: FloatArray

    @property
    def count(self) -> int:
        """H."""
        return len(self.run_sd)

    def take(self, chosen: FloatArray) -> Draws:
        """Some of them."""
        index = chosen.astype(np.int64)
        return Draws(
            {name: values[index] for name, values in self.bends.items()},
            self.run_sd[index],
            self.misfit_sd[index],
            self.size_sd[index],
        )


def _draws(form: LawForm, normal: FloatArray) -> Draws:
    """The parameters at standard normal deviates (H, dimensions)."""

    def half_t(deviates: FloatArray, scale: float) -> FloatArray:
        return np.asarray(scale * stats.t.ppf(0.5 + 0.5 * stats.norm.cdf(deviates), 4))

    bends = {name: form.bend(name, normal[:, place]) for place, name in enumerate(form.bends)}
    place = len(bends)
    size_sd = half_t(normal[:, place + 2], SIZE_SD) if form.size_varies else np.zeros(len(normal))
    return Draws(bends, half_t(normal[:, place], RUN_SD), half_t(normal[:, place + 1], MISFIT_SD), size_sd)


def _sobol(count: int, dimensions: int, seed: int) -> FloatArray:
    points = qmc.Sobol(dimensions, rng=np.random.default_rng(seed)).random(count)
    return np.asarray(stats.norm.ppf(np.clip(points, 1e-7, 1 - 1e-7)))


@dataclass(frozen=True)
class _Given:
    """The covariance structure of the measured runs, the base last where there is one."""

    form: LawForm
    measured: Measured

    @property
    def places(self) -> list[DesignPoint]:
        return [run.place for run in self.measured.runs]

    def responses(self) -> FloatArray:
        """(N,) logit accuracies."""
        values = [*self.measured.accuracies, *([] if self.measured.base is None else [self.measured.base])]
        return np.asarray(special.logit(inside(values, self.measured.noise.items)))

    def items(self) -> FloatArray:
        """(N, N) covariance by chance in the items, on the logit scale."""
        noise = self.measured.noise
        correlation = noise.correlations(self.measured.shares, self.measured.shares)
        np.fill_diagonal(correlation, 1.0)
        if self.measured.base is not None:
            correlation = np.pad(correlation, (0, 1), constant_values=noise.with_base)
            correlation[-1, -1] = 1.0
        deviations = noise.deviations(special.expit(self.responses()))
        return np.asarray(np.outer(deviations, deviations) * correlation)

    def signal(self, draws: Draws, first: Sequence[DesignPoint], second: Sequence[DesignPoint]) -> FloatArray:
        """(H, A, B) prior covariance of the law between tuned places."""
        variances = np.square([deviation for _, deviation in self.form.terms])
        left, right = self.form.columns(draws.bends, first), self.form.columns(draws.bends, second)
        linear = (left * variances) @ right.transpose(0, 2, 1)
        misfit = np.square(draws.misfit_sd)[:, None, None] * self.form.alike(first, second)
        size = np.square(draws.size_sd)[:, None, None] * self.form.same_size(first, second)
        return np.asarray(linear + misfit + size)

    def whole(self, draws: Draws) -> FloatArray:
        """(H, N, N) covariance of the responses."""
        signal = self.signal(draws, self.places, self.places)
        runs = len(self.places)
        covariance = np.zeros((draws.count, runs, runs))
        covariance[:] = signal
        covariance[:, range(runs), range(runs)] += np.square(draws.run_sd)[:, None] + 1e-8
        if self.measured.base is not None:
            covariance = np.pad(covariance, ((0, 0), (0, 1), (0, 1)))
            covariance[:, -1, -1] = LEVEL_SD**2
        return np.asarray(covariance + self.items())


def _evidence(joint: _Given, draws: Draws, responses: FloatArray) -> FloatArray:
    """(H,) log densities of the responses."""
    # The factor of the covariance bordered by the responses holds their whitened values as its last row.
    bordered = np.pad(joint.whole(draws), ((0, 0), (0, 1), (0, 1)))
    bordered[:, -1, :-1] = bordered[:, :-1, -1] = responses
    bordered[:, -1, -1] = BORDER
    factor = np.linalg.cholesky(bordered)
    logs = np.log(np.diagonal(factor, axis1=1, axis2=2)[:, :-1]).sum(axis=1)
    return np.asarray(-0.5 * np.square(factor[:, -1, :-1]).sum(axis=1) - logs)


def _weights(logs: FloatArray) -> FloatArray:
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def _sampled(joint: _Given, responses: FloatArray, seed: int) -> tuple[Draws, FloatArray]:
    """Draws and their weights, KEPT at most."""
    dimensions = len(joint.form.bends) + 2 + joint.form.size_varies
    first = _sobol(POINTS, dimensions, seed)
    weights = _weights(_evidence(joint, _draws(joint.form, first), responses))
    centre = weights @ first
    spread = np.einsum("h,hi,hj->ij", weights, first - centre, first - centre) * SPREAD**2 + 0.05 * np.eye(dimensions)
    # A third of the points stays with the prior, so that no weight grows without bound.
    second = centre + _sobol(POINTS, dimensions, seed + 1) @ np.linalg.cholesky(spread).T
    second[::3] = first[::3]
    draws = _draws(joint.form, second)
    prior = stats.multivariate_normal(np.zeros(dimensions), np.eye(dimensions)).logpdf(second)
    narrow = stats.multivariate_normal(centre, spread).logpdf(second)
    proposal = np.logaddexp(np.log(1 / 3) + prior, np.log(2 / 3) + narrow)
    weights = _weights(_evidence(joint, draws, responses) + prior - proposal)
    # Systematic resampling keeps the sums to one part in KEPT and lets prediction look at few points.
    places = np.searchsorted(np.cumsum(weights), (np.arange(KEPT) + 0.5) / KEPT).clip(max=len(weights) - 1)
    chosen, counts = np.unique(places, return_counts=True)
    return draws.take(chosen.astype(np.float64)), counts / KEPT


@dataclass(frozen=True)
class Mixture:
    """A weighted mixture of normals on the logit scale: ``means`` and ``deviations`` (H, M), ``weights`` (H,)."""

    means: FloatArray
    deviations: FloatArray
    weights: FloatArray

    @property
    def mean(self) -> FloatArray:
        """(M,) in logits."""
        return self.weights @ self.means

    def quantile(self, probability: float) -> FloatArray:
        """(M,) accuracies in [0, 1] below which the mixture has a probability."""
        return np.asarray(special.expit(self.logits(probability)))

    def logits(self, probability: float) -> FloatArray:
        """(M,) the same in logits."""
        low = (self.means - 12 * self.deviations).min(axis=0)
        high = (self.means + 12 * self.deviations).max(axis=0)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.weights @ stats.norm.cdf((middle - self.means) / self.deviations) < probability
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)


@dataclass(frozen=True)
class Law:
    """A fitted law of one part."""

    measured: Measured
    form: LawForm
    draws: Draws
    weights: FloatArray

    @property
    def _given(self) -> _Given:
        return _Given(self.form, self.measured)

    def _gain(self, cross: FloatArray) -> tuple[FloatArray, FloatArray]:
        """For prior covariances (H, N, M) with the responses: posterior means (H, M), and cross' A^-1 cross' factor."""
        whole, responses = self._given.whole(self.draws), self._given.responses()
        factor = np.linalg.cholesky(whole)
        half = np.linalg.solve(factor, cross)
        scaled = np.linalg.solve(factor, np.broadcast_to(responses[:, None], (len(whole), len(responses), 1)))
        return np.einsum("hnm,hn->hm", half, scaled[..., 0]), half

    def _cross(self, places: Sequence[DesignPoint], *, base: bool) -> FloatArray:
        """(H, N, M) covariance of the responses with the law at ``places``, and then with the base's own level."""
        signal = self._given.signal(self.draws, self._given.places, places)
        if self.measured.base is None:
            return signal
        signal = np.pad(signal, ((0, 0), (0, 1), (0, 1 if base else 0)))
        if base:
            signal[:, -1, -1] = LEVEL_SD**2
        return signal

    def truth(self, places: Sequence[DesignPoint]) -> Mixture:
        """The law itself at ``places``: what runs there would score on average over items and seeds."""
        means, half = self._gain(self._cross(places, base=False))
        prior = np.diagonal(self._given.signal(self.draws, places, places), axis1=1, axis2=2)
        variances = prior - np.square(half).sum(axis=1)
        return Mixture(means, np.sqrt(np.maximum(variances, 1e-10)), self.weights)

    def coefficients(self) -> Mixture:
        """The linear coefficients, in logits, in the order of the form's terms."""
        joint = self._given
        variances = np.square([deviation for _, deviation in self.form.terms])
        cross = self.form.columns(self.draws.bends, joint.places) * variances
        cross = np.broadcast_to(cross, (self.draws.count, *cross.shape[1:]))
        if self.measured.base is not None:
            cross = np.pad(cross, ((0, 0), (0, 1), (0, 0)))
        means, half = self._gain(cross)
        left = variances - np.square(half).sum(axis=1)
        return Mixture(means, np.sqrt(np.maximum(left, 1e-10)), self.weights)

    def run(self, place: DesignPoint, seeds: int = 1) -> Mixture:
        """Predict the mean score of ``seeds`` new runs at one place on the same exam."""
        cross = self._cross([place], base=False)
        noise = self.measured.noise
        rough = special.expit(self.weights @ self._gain(cross)[0])
        item_sd = float(noise.deviations(inside(rough, noise.items))[0])
        shared = noise.correlations(self.measured.shares, np.array([place.share]))[:, 0]
        if self.measured.base is not None:
            shared = np.append(shared, noise.with_base)
        others = noise.deviations(special.expit(self._given.responses()))
        cross = cross + (item_sd * others * shared)[None, :, None]
        means, half = self._gain(cross)
        prior = self._given.signal(self.draws, [place], [place])[:, 0, 0]
        items = item_sd**2 * (noise.near + (1 - noise.near) / seeds)
        variances = prior + items + np.square(self.draws.run_sd) / seeds - np.square(half[..., 0]).sum(axis=1)
        return Mixture(means, np.sqrt(np.maximum(variances, 1e-10))[:, None], self.weights)

    def paths(self, places: Sequence[DesignPoint], count: int, seed: int = 0) -> FloatArray:
        """Joint draws (count, M) of the law's accuracies at ``places``; where there is a base, its own comes last.

        Draws from the prior are moved to what was measured, which is cheaper than factoring the posterior of every
        value of the bends (Matheron's rule: Wilson et al. 2020, ICML, section 3).
        """
        rng, joint, form = np.random.default_rng(seed), self._given, self.form
        runs, every = len(joint.places), [*joint.places, *places]
        chosen = np.searchsorted(np.cumsum(self.weights), (rng.permutation(count) + rng.random(count)) / count)
        chosen = chosen.clip(max=len(self.weights) - 1)
        smooth, size = (
            rng.standard_normal((count, len(every))) @ _root(kernel(every, every)).T
            for kernel in (form.alike, form.same_size)
        )
        linear = rng.standard_normal((count, len(form.terms))) * [deviation for _, deviation in form.terms]
        columns = np.broadcast_to(
            form.columns(self.draws.bends, every), (self.draws.count, len(every), len(form.terms))
        )
        law = np.einsum("cmp,cp->cm", columns[chosen], linear)
        law += self.draws.misfit_sd[chosen, None] * smooth + self.draws.size_sd[chosen, None] * size
        seen = law[:, :runs] + self.draws.run_sd[chosen, None] * rng.standard_normal((count, runs))
        base = self.measured.base is not None
        if base:
            law = np.append(law, LEVEL_SD * rng.standard_normal((count, 1)), axis=1)
            seen = np.append(seen, law[:, -1:], axis=1)
        seen = seen + rng.standard_normal(seen.shape) @ _root(joint.items()).T
        whole, cross = joint.whole(self.draws), self._cross(places, base=base)
        accuracies = law[:, runs:]
        for number in np.unique(chosen):
            rows = chosen == number
            away = np.linalg.solve(whole[number], (joint.responses() - seen[rows]).T)
            accuracies[rows] += (cross[number].T @ away).T
        return np.asarray(special.expit(accuracies))


def _root(covariance: FloatArray) -> FloatArray:
    """A square root of a covariance that need not have full rank."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def fit(measured: Measured, seed: int = 0) -> Law:
    """Fit the law of one part to its measured runs."""
    form = LawForm.of(measured)
    joint = _Given(form, measured)
    draws, weights = _sampled(joint, joint.responses(), seed)
    return Law(measured, form, draws, weights)
