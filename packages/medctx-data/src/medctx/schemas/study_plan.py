"""The registered plan of a study, ``plan.json``: written before the first training, held against every report.

A plan says what will be compared, on which items, with which weights, margin and error rates, and what is expected. Its
digest (``medctx.io.digest.of_record``) names it: a report made under another margin, other weights or another
family is not the one registered.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field, model_validator

from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import Record

PLAN_FILE = "plan.json"

FROM_ELSEWHERE = "from elsewhere"
"""The axis of a plan that names cells which the study does not train."""
AS_REGISTERED = "as registered"

PlanAxis = Literal["knowledge", "reading"]


class WeightedPart(Record):
    """One Condition of one exam, and its weight in the estimand of an axis.

    Attributes:
        exam: Name of the exam.
        condition: Name of the Condition, without a depth.
        weight: Share of the part; the weights of an axis add up to 1.
        items: Items asked.
        untaught: Of these, items whose fact training leaves out.
        clusters: Clusters they come from.
    """

    exam: str
    condition: str
    weight: float = Field(gt=0, le=1)
    items: int = Field(ge=1)
    untaught: int = Field(0, ge=0)
    clusters: int = Field(ge=1)

    @property
    def name(self) -> str:
        """Exam and Condition."""
        return f"{self.exam} {self.condition}"


class Estimand(Record):
    """What one number of an axis is: the weighted mean over its parts.

    ``measure``: ``accuracy``, or accuracy on taught items less that on untaught ones.
    """

    axis: PlanAxis
    measure: Literal["accuracy", "taught-minus-untaught"]
    parts: tuple[WeightedPart, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _weights_add_up(self) -> Estimand:
        total = sum(part.weight for part in self.parts)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the weights of {self.axis} add up to {total:g}, not to 1")
        one_sided = [part.name for part in self.parts if not 0 < part.untaught < part.items]
        if self.measure == "taught-minus-untaught" and one_sided:
            raise ValueError(f"{one_sided[0]} has not both taught and untaught items")
        return self


def equal_weights(axis: PlanAxis, parts: Sequence[tuple[str, str, int, int]]) -> Estimand:
    """The estimand of an accuracy in which Conditions count alike, however many items each has.

    Args:
        axis: What the parts measure.
        parts: Exam, Condition, number of items and of clusters of each.
    """
    return Estimand(
        axis=axis,
        measure="accuracy",
        parts=tuple(
            WeightedPart(exam=exam, condition=condition, weight=1 / len(parts), items=items, clusters=clusters)
            for exam, condition, items, clusters in parts
        ),
    )


class Contrast(Record):
    """One cell less another on an axis, in accuracy points as a share of 1."""

    cell: str
    against: str
    axis: PlanAxis

    @property
    def name(self) -> str:
        """Name of the contrast as headlines show it."""
        return f"{self.cell} against {self.against} on {self.axis}"


class Family(Record):
    """The comparisons that are decided together. ``error_rate``: of any false claim among them."""

    contrasts: tuple[Contrast, ...] = Field(min_length=1)
    error_rate: float = Field(0.05, gt=0, lt=1)
    correction: Literal["holm"] = "holm"


class Power(Record):
    """How small a difference the study sees on the primary contrast.

    Attributes:
        difference: The difference that the study is sized by.
        power: Probability that it is found.
        detectable: The difference that is found with probability ``target``.
        target: That probability.
        item_sd: Assumed standard deviation of an item's paired difference.
        icc: Assumed correlation of paired differences within a cluster.
        seed_sd: Assumed standard deviation that training seeds add to a cell's accuracy.
    """

    difference: float
    power: float = Field(ge=0, le=1)
    detectable: float = Field(ge=0)
    target: float = Field(0.8, gt=0, lt=1)
    item_sd: float = Field(gt=0)
    icc: float = Field(ge=0, le=1)
    seed_sd: float = Field(ge=0)


class Prediction(Record):
    """What is expected of the primary contrast, written down before anything is trained."""

    low: float
    expected: float
    high: float
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Prediction:
        if not self.low <= self.expected <= self.high:
            raise ValueError(f"the prediction {self.expected:g} does not lie between {self.low:g} and {self.high:g}")
        return self


class StudyPlan(Record):
    """What a study will do and conclude from, before it does.

    Attributes:
        study: Name of the study.
        cells: Cells that are trained or examined, the untouched base among them.
        axes: Values of each axis of the grid, as they are written in the study; under ``FROM_ELSEWHERE`` the cells
            that the study does not train.
        training_seeds: Seeds each cell is trained with.
        estimands: One for each axis.
        margin: Loss of reading that counts as none, as a share of 1.
        primary: The contrast the study is sized by and judged by first.
        family: All contrasts that are decided.
        selection: Exams whose items select cells, with their digests.
        confirmation: Exams whose items measure again what was selected.
        confirmed: What is measured on them, one estimand for each axis that is.
        power: Power of the primary contrast.
        prediction: What is expected of it, where anything was predicted.
        trained_tokens: Largest amount of training data of a cell, in the unit of the mix (tokens or examples).
        settings: Digests of the study's sections: a cell that is trained or examined otherwise is another one.
        medctx: Version the plan was made with.
    """

    study: str
    cells: tuple[str, ...] = Field(min_length=1)
    axes: dict[str, tuple[str, ...]]
    training_seeds: tuple[int, ...] = Field(min_length=1)
    estimands: tuple[Estimand, ...] = Field(min_length=1)
    margin: float = Field(gt=0, lt=1)
    primary: Contrast
    family: Family
    selection: tuple[ExamCard, ...]
    confirmation: tuple[ExamCard, ...] = ()
    confirmed: tuple[Estimand, ...] = ()
    power: Power
    prediction: Prediction | None = None
    trained_tokens: int = Field(ge=1)
    settings: dict[str, str] = Field(default_factory=dict)
    medctx: str

    @model_validator(mode="after")
    def _fits_together(self) -> StudyPlan:
        axes = [estimand.axis for estimand in self.estimands]
        if len(set(axes)) < len(axes):
            raise ValueError(f"the plan has two estimands of one axis: {', '.join(axes)}")
        for contrast in (self.primary, *self.family.contrasts):
            unknown = [cell for cell in (contrast.cell, contrast.against) if cell not in self.cells]
            if unknown:
                raise ValueError(
                    f"the contrast {contrast.name!r} is about {unknown[0]!r}, which is no cell of the plan"
                )
            if contrast.axis not in axes:
                raise ValueError(f"the contrast {contrast.name!r} is about an axis without an estimand")
        if self.primary not in self.family.contrasts:
            raise ValueError(f"the primary contrast {self.primary.name!r} is not in the family")
        return self


def _weights(estimands: Sequence[Estimand]) -> dict[str, dict[str, float]]:
    return {
        f"{estimand.axis} ({estimand.measure})": {part.name: round(part.weight, 9) for part in estimand.parts}
        for estimand in estimands
    }


def _asked(estimands: Sequence[Estimand]) -> dict[str, tuple[int, int]]:
    """Items and, of these, untaught ones of every part; an accuracy of knowledge excludes untaught items."""
    sizes = {}
    for estimand in estimands:
        for part in estimand.parts:
            if estimand.measure == "taught-minus-untaught":
                sizes[part.name] = part.items, part.untaught
            else:
                sizes[part.name] = part.items - part.untaught * (estimand.axis == "knowledge"), 0
    return sizes


def _other_items(plan: StudyPlan, estimands: Sequence[Estimand]) -> Iterator[str]:
    reported = _asked(estimands)
    for name, (items, untaught) in _asked(plan.estimands).items():
        counted = reported.get(name, (items, untaught))
        if counted != (items, untaught):
            yield (
                f"{counted[0]} items of {name} ({counted[1]} untaught) instead of {items} ({untaught} untaught)"
                if untaught or counted[1]
                else f"{counted[0]} items of {name} instead of {items}"
            )


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values)) or "none"


def other_runs(
    plan: StudyPlan, exams: Sequence[ExamCard], seeds: Mapping[str, Sequence[int]], bases: Collection[str]
) -> Iterator[str]:
    """Which exams were asked, and which cells and training seeds examined, otherwise than a plan says.

    Args:
        plan: The plan.
        exams: Cards of the exams that the runs were asked.
        seeds: Training seeds of every examined cell.
        bases: Cells that are not trained.
    """
    registered = {(card.name, card.digest) for card in plan.selection}
    differing = sorted({card.name for card in exams if (card.name, card.digest) not in registered})
    if registered and differing:
        yield f"other questions of {', '.join(differing)}"
    left = [name for name, digest in sorted(registered) if name not in {card.name for card in exams}]
    if left:
        yield f"without the exam {', '.join(left)}"
    missing = [cell for cell in plan.cells if cell not in seeds]
    if missing:
        yield f"without the registered cell {', '.join(missing)}"
    for cell in plan.cells:
        if cell in plan.axes.get(FROM_ELSEWHERE, ()):
            continue
        if cell in seeds and cell not in bases and set(seeds[cell]) != set(plan.training_seeds):
            examined, planned = _numbers(sorted(seeds[cell])), _numbers(plan.training_seeds)
            yield f"{cell} with training seeds {examined} instead of {planned}"


def deviations(plan: StudyPlan, *, margin: float, estimands: Sequence[Estimand], family: Family) -> Iterator[str]:
    """What a report did otherwise than its plan says, one clause each; nothing where it did as registered.

    ``other_runs`` says it of the examined cells.
    """
    if not math.isclose(margin, plan.margin):
        yield f"margin {100 * margin:g} instead of {100 * plan.margin:g} points"
    if _weights(estimands) != _weights(plan.estimands):
        yield "other parts or weights of an axis"
    yield from _other_items(plan, estimands)
    left = [contrast.name for contrast in plan.family.contrasts if contrast not in family.contrasts]
    more = [contrast.name for contrast in family.contrasts if contrast not in plan.family.contrasts]
    if left or more:
        yield f"another family ({len(left)} comparisons left out, {len(more)} added)"
    if (family.error_rate, family.correction) != (plan.family.error_rate, plan.family.correction):
        yield (
            f"error rate {family.error_rate:g} ({family.correction}) instead of {plan.family.error_rate:g} "
            f"({plan.family.correction})"
        )


def headline(digest: str, clauses: Sequence[str]) -> str:
    """What the headline of a report says about its plan.

    Args:
        digest: The short digest that names the plan.
        clauses: What was done otherwise, from ``deviations`` and ``other_runs``.
    """
    return (
        f"{AS_REGISTERED} (plan {digest})"
        if not clauses
        else f"not {AS_REGISTERED} (plan {digest}): {'; '.join(clauses)}"
    )
