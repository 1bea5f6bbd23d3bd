"""From runs to a Report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medctx.io.jsonl import read_record
from medctx.schemas.decision import Decision
from medctx.schemas.report import LEARNING
from medctx.schemas.study_plan import StudyPlan
from medctx_eval.report.analyses.behaviour import answer_matrix, cell_attributions, cell_behaviours
from medctx_eval.report.analyses.calibration import calibrations
from medctx_eval.report.analyses.comparisons import comparisons, scores
from medctx_eval.report.analyses.confirmation import confirmations
from medctx_eval.report.analyses.contamination import clean_scores, contamination
from medctx_eval.report.analyses.floors import above_floors, longest_options, part_floors
from medctx_eval.report.analyses.noise_floor import noise_floors
from medctx_eval.report.analyses.option_order import letter_biases, option_order_scores
from medctx_eval.report.analyses.published import published
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.decision.gate import checks, decide
from medctx_eval.report.decision.registration import registration
from medctx_eval.report.load.cells import cells_of, check_means, check_names, headline_mode
from medctx_eval.report.load.collect import RunSet
from medctx_eval.report.load.estimands import check_weights, estimand_weights, estimands_of, registered_weights
from medctx_eval.report.load.exam_contents import ExamContents
from medctx_eval.report.load.overlaps import read_overlaps
from medctx_eval.report.load.training import training_curves
from medctx_eval.report.load.view import ModeView, view_of
from medctx_eval.report.model import Report


def views_of(run_set: RunSet, report: Report) -> list[ModeView]:
    """One view per mode, the headline mode first."""
    modes = sorted(run_set.modes, key=lambda mode: (mode != report.mode, mode))
    weights = estimand_weights(report.estimands)
    return [view_of(run_set, mode, report.cells, weights) for mode in modes]


def compute(
    run_set: RunSet,
    config: ReportConfig,
    contents: ExamContents | None = None,
) -> Report:
    """Compute every number of the report but the headline and the gate's checks.

    Args:
        run_set: The runs.
        config: Settings of the report.
        contents: The items and Books asked, as far as they are available.
    """
    contents = contents or ExamContents()
    items, books = contents.items, contents.books
    draws, seed = config.draws, config.seed
    check_names("training", config.training, run_set)
    cells = cells_of(run_set, config.base, config.cells)
    mode = headline_mode(run_set, config.mode)
    check_weights(run_set.modes[mode], config.weights)
    plan = read_record(config.plan, StudyPlan) if config.plan else None
    empty = Report(
        title=config.title,
        headline="",
        base=cells[0].name,
        mode=mode,
        margin=config.margin,
        estimands=estimands_of(run_set.modes[mode], registered_weights(plan, config.weights), plan),
        max_unreadable=config.max_unreadable,
        max_contaminated=config.max_contaminated,
        error_rate=plan.family.error_rate if plan else config.error_rate,
        draws=draws,
        seed=seed,
        cells=cells,
        scores=(),
        comparisons=(),
    )
    check_means(run_set, empty.mode, allowed=config.different_means)
    views = views_of(run_set, empty)
    headline = views[0]
    answers = answer_matrix(headline.matrix, items, books)
    overlaps = read_overlaps(config.contamination) if config.contamination else None
    computed = empty.model_copy(
        update={
            "scores": tuple(score for view in views for score in scores(view)),
            "comparisons": tuple(
                comparison
                for view in views
                for comparison in comparisons(
                    view,
                    cells,
                    learning=empty.measure("knowledge") == LEARNING,
                    margin=config.margin,
                    draws=draws,
                    seed=seed,
                    all_families=view is headline,
                )
            ),
            "option_orders": tuple(score for view in views for score in option_order_scores(view)),
            "letter_bias": tuple(bias for view in views for bias in letter_biases(view, items)),
            "floors": tuple(part_floors(headline, contents)),
            "above_floors": tuple(above_floors(headline, contents, draws=draws, seed=seed)),
            "longest_options": tuple(longest_options(headline, contents)),
            "calibrations": tuple(calibrations(run_set, headline)),
            "behaviours": tuple(cell_behaviours(headline, answers, draws=draws, seed=seed)),
            "attributions": tuple(cell_attributions(headline, answers, cells, draws=draws)),
            "noise_floor": tuple(noise_floors(run_set, headline, draws=draws, seed=seed)),
            "contamination": contamination(headline, overlaps) if overlaps else None,
            "clean_scores": tuple(clean_scores(headline, overlaps)) if overlaps else (),
            "training_curves": tuple(training_curves(config.training)),
        }
    )
    return computed.model_copy(
        update={
            "registration": registration(computed, plan, config.deviations) if plan else None,
            "confirmations": tuple(confirmations(computed, run_set, config)),
        }
    )


def headline_of(report: Report, decision: Decision) -> str:
    """Return the decision and whether the report was made as registered; what deviates comes first."""
    plan = report.registration
    if plan is None:
        return decision.reason
    statement = f"{plan.statement[0].upper()}{plan.statement[1:]}."
    return f"{decision.reason} {statement}" if plan.as_registered else f"{statement} {decision.reason}"


def decided(
    computed: Report, config: ReportConfig, config_texts: Mapping[str, str], run_folders: Sequence[str]
) -> tuple[Report, Decision]:
    """Decide on a computed report, and complete it."""
    decision = decide(computed)
    update = {
        "headline": headline_of(computed, decision),
        "gate_checks": checks(computed),
        "published": published(computed, config.published),
        "configs": dict(config_texts),
        "run_folders": tuple(run_folders),
    }
    return computed.model_copy(update=update), decision
