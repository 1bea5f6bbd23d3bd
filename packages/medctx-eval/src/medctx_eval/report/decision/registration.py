"""The report held against the registered plan of its study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medctx.io import digest
from medctx.schemas.report import Comparison, Registration
from medctx.schemas.study_plan import Contrast, StudyPlan, deviations, headline, other_runs
from medctx_eval.report.decision.pareto import AXES
from medctx_eval.report.model import Report


def _comparison(report: Report, contrast: Contrast) -> Comparison | None:
    part = report.measure(contrast.axis)
    pairs = (*report.family("headline"), *report.family("pairs"))
    row = next((row for row in pairs if row.part == part and {row.cell, row.other} == set(_cells(contrast))), None)
    if row is None or row.cell == contrast.cell:
        return row
    # The report compared the two in the other order.
    difference = row.difference.turned
    update = {
        "cell": row.other,
        "other": row.cell,
        "difference": difference,
        "outcome": difference.outcome(report.margin),
    }
    return row.model_copy(update=update)


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


def _other_runs(report: Report, plan: StudyPlan) -> Iterator[str]:
    manifests = {cell.name: [run.manifest for run in cell.runs] for cell in report.cells}
    exams = {(card.name, card.digest): card for runs in manifests.values() for run in runs for card in run.exams}
    seeds = {
        cell: [run.training_seed for run in runs if run.training_seed is not None] for cell, runs in manifests.items()
    }
    return other_runs(plan, list(exams.values()), seeds, [cell.name for cell in report.bases])


def registration(report: Report, plan: StudyPlan, stated: Sequence[str] = ()) -> Registration:
    """What the report did otherwise than its plan says, and the primary contrast beside its prediction.

    ``stated``: deviations that the report cannot see, one clause each.
    """
    contrasts = tuple(_contrasts(report, plan))
    if contrasts:
        family = plan.family.model_copy(update={"contrasts": contrasts, "error_rate": report.error_rate})
        differences = tuple(deviations(plan, margin=report.margin, estimands=report.estimands, family=family))
    else:
        differences = ("none of the registered comparisons was made",)
    differing = (*stated, *differences, *_other_runs(report, plan))
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
