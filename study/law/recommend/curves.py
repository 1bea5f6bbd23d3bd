"""Joint draws of both laws over compositions: what every question about the best one is answered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medctx.errors import MedctxError
from study.law.evidence.evidence import PARTS, Evidence
from study.law.evidence.points import BoolArray, FloatArray, Measured, Place
from study.law.model.fit import Law, fit
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

    def place(self, share: float) -> Place:
        """A composition at this amount and size."""
        return Place(share, self.amount, self.size)


def _amount(measured: Measured, wanted: float | None) -> float | None:
    """The amount to recommend for: as wanted, inside what was measured, else that of most cells."""
    known = [run.place.amount for run in measured.runs if run.place.amount]
    if not known:
        if wanted is not None:
            raise MedctxError("No cell says how much it was trained on, so --amount means nothing; leave it out.")
        return None
    if wanted is not None and not min(known) <= wanted <= max(known):
        raise MedctxError(
            f"The amount {wanted:,.0f} lies outside {min(known):,.0f} to {max(known):,.0f}, which were trained; "
            "the law does not reach there."
        )
    from study.law.model.form import Form

    return wanted if wanted is not None else Form.of(measured).amount


def laws_of(evidence: Evidence, needed: frozenset[str], amount: float | None, seed: int = 0) -> Laws:
    """Fit a law to each part; raises MedctxError where a part is missing that is ``needed``, or has no base."""
    for part in PARTS:
        found = evidence.part(part)
        if part in needed and (found is None or found.base is None):
            raise MedctxError(
                f"{evidence.name} did not examine {part} of "
                f"{'the untouched model' if found is not None else 'any cell'}; a recommendation needs it."
            )
        if part in needed and found is not None and len({run.place.share for run in found.runs}) < 3:
            raise MedctxError(
                f"{evidence.name} has fewer than three compositions with {part}; a recommendation needs three or more."
            )
    used = [one for one in evidence.measured if one.part in needed]
    chosen = _amount(used[0], amount)
    return Laws(
        by_part={one.part: fit(one, seed) for one in used},
        amount=chosen,
        size=evidence.base_size if len(set(used[0].sizes)) > 1 else used[0].runs[0].place.size,
        base={one.part: float(one.base or 0.0) for one in used},
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
        """The place of a share among the shares."""
        return int(np.abs(self.shares - share).argmin())


def curves_of(laws: Laws, utility: Utility, margin: float | None, draws: int = DRAWS, seed: int = 0) -> Curves:
    """Draw the laws together over all compositions between the measured ones: outside they are not known.

    Knowledge and reading are asked by different items; that a run may be lucky in both is not counted.
    """
    measured = [one.measured for one in laws.by_part.values()]
    shares = np.unique(np.concatenate([one.shares for one in measured]))
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
