"""What one number of an axis is: the conditions it weighs, and how.

A stratum is one exam under one condition, depths together, on one axis. The accuracy of an axis is the weighted mean
of its strata's accuracies, with the weights of the registered plan or of the config, else equal ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.schemas.report import KNOWLEDGE, UNTAUGHT
from medctx.schemas.study_plan import Estimand, PlanAxis, StudyPlan, WeightedPart
from medctx_eval.report.load import parts
from medctx_eval.report.load.verdict_matrix import MaskArray, VerdictMatrix

AxisWeights = Mapping[PlanAxis, Mapping[str, float]]
"""By axis, the weight of each stratum by its name; axes that are not named weigh their strata alike."""


def stratum_name(exam: str, condition: str) -> str:
    """Exam and condition without its depth, as plans name them."""
    return f"{exam} {parts.without_depth(condition)}"


class Strata:
    """The planned items of a matrix in strata, and the strata that count in each part.

    Args:
        matrix: The verdicts of a mode.
        weights: Weights by axis and stratum.
    """

    def __init__(self, matrix: VerdictMatrix, weights: AxisWeights) -> None:
        self._matrix = matrix
        self._weights = weights

    @cached_property
    def _strata(self) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.int64]]:
        """Names and axes of the strata, and the stratum of each planned item."""
        matrix = self._matrix
        columns = (column[matrix.starts].tolist() for column in (matrix.item, matrix.condition, matrix.axis))
        names: dict[tuple[str, str], int] = {}
        known: dict[tuple[str, int, int], int] = {}
        codes = np.empty(len(matrix.starts), dtype=np.int64)
        for place, (item, condition, axis) in enumerate(zip(*columns, strict=True)):
            key = (matrix.exams[item], condition, axis)
            if key not in known:
                label = (stratum_name(matrix.exams[item], matrix.conditions[condition]), matrix.axes[axis])
                known[key] = names.setdefault(label, len(names))
            codes[place] = known[key]
        return tuple(name for name, _ in names), tuple(axis for _, axis in names), codes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the strata."""
        return self._strata[0]

    @property
    def codes(self) -> NDArray[np.int64]:
        """Stratum of each planned item, an index into ``names``, (N,)."""
        return self._strata[2]

    def asked(self, axis: str) -> tuple[str, ...]:
        """Names of all strata of an axis; of knowledge, those with taught items."""
        return tuple(self.names[code] for code in self._asked(axis))

    def _asked(self, axis: str) -> list[int]:
        return [
            code
            for code, of_axis in enumerate(self._strata[1])
            if of_axis == axis and (axis != KNOWLEDGE or self._taught[code])
        ]

    @cached_property
    def _taught(self) -> list[bool]:
        """Whether a stratum has taught items."""
        taught = self._matrix.taught[self._matrix.starts]
        return [bool(taught[self.codes == code].any()) for code in range(len(self.names))]

    def _untaught_codes(self) -> list[int]:
        """Strata whose untaught items stand beside knowledge: those of its own, else those without taught items."""
        taught = self._matrix.taught[self._matrix.starts]
        codes = self.codes_of_axis(KNOWLEDGE)
        if (np.isin(self.codes, codes) & ~taught).any():
            return codes
        return [code for code, axis in enumerate(self._strata[1]) if axis == KNOWLEDGE and not self._taught[code]]

    def codes_of_axis(self, axis: str) -> list[int]:
        """Strata that count in an axis: those with a weight, or all of the axis if it has no weights."""
        chosen = self._of_axis(axis)
        return [code for code in self._asked(axis) if chosen is None or self.names[code] in chosen]

    def _of_axis(self, axis: str) -> Mapping[str, float] | None:
        return next((weights for name, weights in self._weights.items() if name == axis), None)

    def counted(self, part: str) -> MaskArray:
        """Planned items that an axis counts, (N,); every item for a condition."""
        if part not in parts.AXES:
            return np.ones(len(self.codes), dtype=np.bool_)
        return np.isin(self.codes, self._untaught_codes() if part == UNTAUGHT else self.codes_of_axis(part))

    def weights(self, codes: NDArray[np.int64]) -> dict[str, float]:
        """Weight of every stratum that occurs in ``codes``, by its number as text."""
        axis = self._strata[1]
        occurring = np.unique(codes).tolist()
        values = {code: (self._of_axis(axis[code]) or {}).get(self.names[code], 0.0) for code in occurring}
        # Strata outside of the estimand, as under a condition that is not part of it, weigh alike.
        complete = all(values.values())
        return {str(code): values[code] if complete else 1.0 for code in occurring}


def registered_weights(plan: StudyPlan | None, configured: AxisWeights) -> dict[PlanAxis, dict[str, float]]:
    """Weights by axis: those of the config, else of the plan."""
    weights = {
        estimand.axis: {part.name: part.weight for part in estimand.parts}
        for estimand in (plan.estimands if plan else ())
    }
    weights |= {axis: dict(by_name) for axis, by_name in configured.items()}
    return weights


def estimand_weights(estimands: tuple[Estimand, ...]) -> dict[PlanAxis, dict[str, float]]:
    """The weights of the estimands of a report."""
    return {estimand.axis: {part.name: part.weight for part in estimand.parts} for estimand in estimands}


def check_weights(matrix: VerdictMatrix, configured: AxisWeights) -> None:
    """Refuse weights of a config that name parts which were not asked.

    Raises:
        MedctxError: Naming the first of them and what was asked.
    """
    strata = Strata(matrix, {})
    for axis, weights in configured.items():
        parts = strata.asked(axis)
        unknown = next((name for name in weights if name not in parts), None)
        if unknown is not None:
            raise MedctxError(
                f"The key weights.{axis} names {unknown!r}, which was not asked on this axis; asked were: "
                f"{', '.join(parts) or 'none'}."
            )


def _part(matrix: VerdictMatrix, name: str, mask: MaskArray, weight: float) -> WeightedPart:
    items, clusters = matrix.item[matrix.starts][mask], matrix.cluster[matrix.starts][mask]
    taught = matrix.taught[matrix.starts][mask]
    exam, _, condition = name.rpartition(" ")
    return WeightedPart(
        exam=exam,
        condition=condition,
        weight=weight,
        items=len(np.unique(items)),
        untaught=len(np.unique(items[~taught])),
        clusters=len(np.unique(clusters)),
    )


def estimands_of(matrix: VerdictMatrix, weights: AxisWeights, plan: StudyPlan | None = None) -> tuple[Estimand, ...]:
    """The estimands of knowledge and reading, as far as they were asked.

    Knowledge is the accuracy on taught items less that on untaught ones where every exam of the axis has both, unless
    the plan says otherwise.

    Args:
        matrix: The verdicts of the headline mode.
        weights: Weights by axis and stratum.
        plan: The registered plan.

    Raises:
        MedctxError: If an axis has weights but none of its parts was asked.
    """
    strata = Strata(matrix, weights)
    taught = matrix.taught[matrix.starts]
    planned = {estimand.axis: estimand.measure for estimand in (plan.estimands if plan else ())}
    estimands = []
    for axis in get_args(PlanAxis):
        codes = strata.codes_of_axis(axis)
        if not codes:
            if weights.get(axis):
                parts = ", ".join(strata.names)
                raise MedctxError(
                    f"None of the parts that {axis} weighs was asked ({', '.join(weights[axis])}); the exam asked "
                    f"{parts}. Give the runs of the plan, or other weights."
                )
            continue
        masks = [strata.codes == code for code in codes]
        raw = np.array([weights.get(axis, {}).get(strata.names[code], 1.0) for code in codes])
        both = all(taught[mask].any() and not taught[mask].all() for mask in masks)
        automatic = "taught-minus-untaught" if axis == KNOWLEDGE and both else "accuracy"
        measure = planned.get(axis, automatic) if both else "accuracy"
        if axis == KNOWLEDGE and measure == "accuracy":
            masks = [mask & taught for mask in masks]
        estimands.append(
            Estimand(
                axis=axis,
                measure=measure,
                parts=tuple(
                    _part(matrix, strata.names[code], mask, weight)
                    for code, mask, weight in zip(codes, masks, (raw / raw.sum()).tolist(), strict=True)
                ),
            )
        )
    return tuple(estimands)
