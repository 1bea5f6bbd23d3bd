"""The report held against the registered plan of its study."""

from __future__ import annotations

from collections.abc import Iterator

from medctx.io import digest
from medctx.schemas.report import Comparison, Registration
from medctx.schemas.study_plan import Contrast, StudyPlan, deviations, headline
from medctx_eval.report.decision.pareto import AXES
from medctx_eval.report.model import Report


def _comparison(report: Report, contrast: Contrast) -> Comparison | None:
    part = report.measure(contrast.axis)
    pairs = (*report.family("headline"), *report.family("pairs"))
    return next((row for row in pairs if (row.cell, row.other, row.part) == (*_cells(contrast), part)), None)


def _cells(contrast: Contrast) -> tuple[str, str]:
    return contrast.cell, contrast.against


def _contrasts(report: Report, plan: StudyPlan) -> Iterator[Contrast]:
    """Contrasts of the plan that were compared, and those with the base of cells that the plan does not know."""
    yield from (contrast for contrast in plan.family.contrasts if _comparison(report, contrast))
    for cell in report.tuned:
        if cell.name not in plan.cells:
            for axis in AXES:
                if report.axis_gain(cell.name, axis):
                    yield Contrast(cell=cell.name, against=report.base_of(cell.name), axis=axis)


def registration(report: Report, plan: StudyPlan) -> Registration:
    """What the report did otherwise than its plan says, and the primary contrast beside its prediction."""
    contrasts = tuple(_contrasts(report, plan))
    if contrasts:
        family = plan.family.model_copy(update={"contrasts": contrasts, "error_rate": report.error_rate})
        differing = tuple(deviations(plan, margin=report.margin, estimands=report.estimands, family=family))
    else:
        differing = ("none of the registered comparisons was made",)
    name = digest.of_record(plan)[: digest.SHORT]
    primary = _comparison(report, plan.primary)
    return Registration(
        study=plan.study,
        digest=name,
        statement=headline(name, differing),
        deviations=differing,
        primary=plan.primary,
        prediction=plan.prediction,
        power=plan.power,
        difference=primary.difference if primary else None,
        outcome=primary.outcome if primary else None,
    )
