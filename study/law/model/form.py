"""The parametric form of the law: accuracies on the logit scale as a function of composition, amount and size.

Composition: Ye et al. 2024 (arXiv 2403.16952) predict a score from domain proportions r as
L = c + k exp(sum_j t_j r_j). With two domains and general share s this is c + k' exp(t s): three parameters, written
here by the value at s = 0, the value at s = 1 and the bend t, so that t = 0 is a straight line:

    (1 - E_t(s)) a_0 + E_t(s) a_1,    E_t(s) = (exp(t s) - 1) / (exp(t) - 1)

Amount: E_u in the logarithm of the trained amount over the range measured, which is a power law D^g with
g = u / ln(D_max / D_min): saturating where g < 0, as losses do in scaling laws, straight in the logarithm at 0, and
gaining speed where g > 0, as accuracies do that start near chance. Size: E_u in the logarithm of the parameter count,
the additive term of Chinchilla-like laws (Que et al. 2024, arXiv 2406.01375, for mixtures) whose bend replaces the
exponent. Where they are crossed with composition, amount and size may also tilt the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.law.evidence.points import DesignPoint, FloatArray, Measured, alike

LEVEL_SD = 2.0
TILT_SD = 0.5
"""Standard deviations of the priors of the law's linear coefficients in logits: wide for levels and effects, narrower
for tilts (an odds ratio of 7 and of 1.6)."""
BEND_SCALE, BEND_DF = 3.0, 3
SIZE_EXPONENT = 0.5
"""A size bend of -alpha ln(largest / smallest) is a power law N^-alpha; published exponents lie between 0.1 and 0.5."""
AMOUNT_EXPONENT = 1.5
"""Standard deviation of the prior of the amount's exponent. At 1, 0.90 to 0.98 of what was left out of simulated
studies lay in its interval, at 1.5 0.96 to 0.98 (`bench/simulations/law_simulation.py`)."""


def bent(bend: FloatArray, at: FloatArray) -> FloatArray:
    """E_t(s) of bends (H,) at ``at`` (R,), shape (H, R); increasing from 0 to 1, straight where the bend is 0."""
    steep = np.abs(bend)[:, None]
    # Falling exponentials only, so that nothing overflows: E_t(s) = 1 - E_-t(1 - s).
    with np.errstate(invalid="ignore"):
        risen = np.expm1(-steep * np.where(bend[:, None] > 0, 1 - at, at)) / np.expm1(-steep)
    risen = np.where(bend[:, None] > 0, 1 - risen, risen)
    return np.asarray(np.where(steep < 1e-6, at[None, :], risen))


def _position(values: FloatArray, low: float, high: float) -> FloatArray:
    """From 0 (``low``) to 1 (``high``); 0 where these are one."""
    return np.asarray((values - low) / (high - low)) if high > low else np.zeros_like(values)


def _crossed(shares: FloatArray, other: FloatArray) -> bool:
    """Whether at least two shares were each measured at two values of something else."""
    return sum(len(np.unique(other[shares == share])) > 1 for share in np.unique(shares)) > 1


@dataclass(frozen=True)
class LawForm:
    """Which terms the measured cells can speak of, and the references they are written from.

    ``amount`` is the reference amount, ``sizes`` the natural logarithms of the smallest and largest size.
    """

    composition: bool
    amount_varies: bool
    size_varies: bool
    amount_tilts: bool
    size_tilts: bool
    amount: float
    amounts: tuple[float, float]
    sizes: tuple[float, float]

    @classmethod
    def of(cls, measured: Measured) -> LawForm:
        """The form for the cells that were measured."""
        shares, amounts, sizes = measured.shares, measured.amounts, measured.sizes
        values, counts = np.unique(amounts, return_counts=True)
        return cls(
            composition=len(np.unique(shares)) > 1,
            amount_varies=len(values) > 1,
            size_varies=len(np.unique(sizes)) > 1,
            amount_tilts=_crossed(shares, amounts),
            size_tilts=_crossed(shares, sizes),
            amount=float(values[counts == counts.max()].max()),
            amounts=(float(values[0]), float(values[-1])),
            sizes=(float(np.log(sizes.min())), float(np.log(sizes.max()))),
        )

    @property
    def bends(self) -> tuple[str, ...]:
        """Names of the parameters that the law is not linear in."""
        named = (("bend", self.composition), ("amount bend", self.amount_varies), ("size bend", self.size_varies))
        return tuple(name for name, there in named if there)

    def bend(self, name: str, normal: FloatArray) -> FloatArray:
        """A parameter from standard normal deviates: its prior is the image of theirs."""
        if name == "amount bend":
            return np.asarray(AMOUNT_EXPONENT * np.log(self.amounts[1] / self.amounts[0]) * normal)
        if name == "size bend":
            return np.asarray(SIZE_EXPONENT * (self.sizes[1] - self.sizes[0]) * normal)
        return np.asarray(BEND_SCALE * stats.t.ppf(stats.norm.cdf(normal), BEND_DF))

    def amount_at(self, amounts: FloatArray) -> FloatArray:
        """Log amounts from 0 (the least measured) to 1 (the most)."""
        low, high = np.log(self.amounts)
        return _position(np.log(amounts), low, high)

    def size_at(self, sizes: FloatArray) -> FloatArray:
        """Log sizes from 0 (the smallest measured) to 1 (the largest)."""
        return _position(np.log(sizes), *self.sizes)

    @property
    def terms(self) -> tuple[tuple[str, float], ...]:
        """Names of the linear coefficients and the standard deviations of their priors, in logits."""
        weights = (
            [("medical only", LEVEL_SD), ("general only", LEVEL_SD)] if self.composition else [("level", LEVEL_SD)]
        )
        if self.amount_varies:
            weights.append(("amount", LEVEL_SD))
        if self.amount_tilts:
            weights.append(("amount tilt", TILT_SD))
        if self.size_varies:
            weights.append(("size", LEVEL_SD))
        if self.size_tilts:
            weights.append(("size tilt", TILT_SD))
        return tuple(weights)

    def columns(self, bends: dict[str, FloatArray], places: Sequence[DesignPoint]) -> FloatArray:
        """What the linear coefficients are multiplied by, shape (H, R, terms), for H values of the bends."""
        shares = np.array([place.share for place in places])
        amounts = np.array([place.amount or 1.0 for place in places])
        sizes = np.array([place.size or 1.0 for place in places])
        count = len(next(iter(bends.values()))) if bends else 1
        features = []
        if self.composition:
            general = bent(bends["bend"], shares)
            features += [1 - general, general]
        else:
            features.append(np.ones((count, len(shares))))
        if self.amount_varies:
            bend = bends["amount bend"]
            more = bent(bend, self.amount_at(amounts)) - bent(bend, self.amount_at(np.array([self.amount])))
            features += [more, more * (shares - 0.5)] if self.amount_tilts else [more]
        if self.size_varies:
            larger = bent(bends["size bend"], self.size_at(sizes)) - 0.5
            features += [larger, larger * (shares - 0.5)] if self.size_tilts else [larger]
        return np.stack(features, axis=-1)

    def alike(self, first: Sequence[DesignPoint], second: Sequence[DesignPoint]) -> FloatArray:
        """How much two places have in common, (A, B) in (0, 1]: Gaussian in composition and amount (one length is a
        factor of four), and half as much between models of different size as between those of one.
        """
        amounts = [np.log([place.amount or 1.0 for place in places]) / np.log(4) for places in (first, second)]
        apart = amounts[0][:, None] - amounts[1][None, :]
        shares = [np.array([place.share for place in places]) for places in (first, second)]
        correlation = alike(*shares) * np.exp(-0.5 * np.square(apart))
        return np.asarray(correlation * (0.5 + 0.5 * self.same_size(first, second)))

    def same_size(self, first: Sequence[DesignPoint], second: Sequence[DesignPoint]) -> FloatArray:
        """(A, B): 1 where two places have one base model, 0 elsewhere."""
        sizes = [np.array([place.size or 1.0 for place in places]) for places in (first, second)]
        return np.asarray(sizes[0][:, None] == sizes[1][None, :], dtype=np.float64)
