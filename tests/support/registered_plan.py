"""The registered plan of the synthetic runs: two trained cells, knowledge as learning, reading at two lengths."""

from __future__ import annotations

from medctx.schemas.study_plan import Contrast, Estimand, Family, Power, Prediction, StudyPlan, WeightedPart

CELLS = ("base", "1:1", "0:1")


RUNS = ("base", "1:1-0", "0:1-0")


def part(condition: str, weight: float, items: int = 48, untaught: int = 0) -> WeightedPart:
    return WeightedPart(
        exam="synthetic", condition=condition, weight=weight, items=items, untaught=untaught, clusters=12
    )


def plan_of(**changed: object) -> StudyPlan:
    contrasts = tuple(
        Contrast(cell=cell, against="base", axis=axis) for axis in ("reading", "knowledge") for cell in CELLS[1:]
    )
    plan = StudyPlan(
        study="made",
        cells=CELLS,
        axes={"ratio": ("1:1", "0:1")},
        training_seeds=(0,),
        estimands=(
            Estimand(axis="knowledge", measure="taught-minus-untaught", parts=(part("closed", 1.0, 60, 20),)),
            Estimand(axis="reading", measure="accuracy", parts=(part("open:200", 0.5), part("open:400", 0.5))),
        ),
        margin=0.05,
        primary=contrasts[1],
        family=Family(contrasts=contrasts),
        selection=(),
        power=Power(difference=0.1, power=0.82, detectable=0.098, item_sd=0.5, icc=0.1, seed_sd=0.02),
        prediction=Prediction(low=-0.3, expected=-0.2, high=-0.05, reason="made up"),
        trained_tokens=1000,
        medctx="0",
    )
    return plan.model_copy(update=changed)
