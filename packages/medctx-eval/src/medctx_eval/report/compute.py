"""From lined-up runs to a Report."""

from __future__ import annotations

from collections.abc import Mapping

from medctx.schemas.records import ExamItem
from medctx_eval.report.analyses import behaviour as conduct
from medctx_eval.report.analyses import contamination as contaminated
from medctx_eval.report.analyses.comparisons import comparisons
from medctx_eval.report.analyses.noise_floor import repeated
from medctx_eval.report.analyses.option_order import letters_of, orders
from medctx_eval.report.analyses.scores import scores
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load import training
from medctx_eval.report.load.cells import cells_of, check_names, headline_mode
from medctx_eval.report.load.collect import Collected
from medctx_eval.report.load.exam_contents import BookFacts
from medctx_eval.report.load.view import Sheet, sheet
from medctx_eval.report.model import Report


def sheets_of(collected: Collected, report: Report) -> list[Sheet]:
    """One sheet a mode, the headline mode first."""
    modes = sorted(collected.modes, key=lambda mode: (mode != report.mode, mode))
    return [sheet(collected, mode, report.cells) for mode in modes]


def compute(
    collected: Collected,
    config: ReportConfig,
    items: Mapping[str, ExamItem] | None = None,
    books: Mapping[str, BookFacts] | None = None,
) -> Report:
    """Every number of the report. ``items`` and ``books`` are those asked, by id, as far as they are at hand.

    The headline and the checks of the gate are left to :mod:`medctx_eval.report.decision.gate`.
    """
    items, books = items or {}, books or {}
    check_names("training", config.training, collected)
    cells = cells_of(collected, config)
    empty = Report(
        title=config.title,
        headline="",
        base=cells[0].name,
        mode=headline_mode(collected, config),
        margin=config.margin,
        max_unreadable=config.max_unreadable,
        max_contaminated=config.max_contaminated,
        draws=config.draws,
        seed=config.seed,
        cells=cells,
        scores=(),
        comparisons=(),
    )
    sheets = sheets_of(collected, empty)
    first = sheets[0]
    asked = conduct.answers(first.aligned, items, books)
    touched = contaminated.read_all(config.contamination) if config.contamination else None
    return empty.model_copy(
        update={
            "scores": tuple(score for one in sheets for score in scores(one)),
            "comparisons": tuple(
                comparison
                for one in sheets
                for comparison in comparisons(one, cells, config, all_families=one is first)
            ),
            "orders": tuple(found for one in sheets for found in orders(one)),
            "letters": tuple(found for one in sheets for found in letters_of(one, items)),
            "conduct": tuple(conduct.conduct(first, asked, config)),
            "losses": tuple(conduct.losses(first, asked, cells, config)),
            "repeated": tuple(repeated(collected, first, config)),
            "contamination": contaminated.contamination(first, touched) if touched else None,
            "clean": tuple(contaminated.clean(first, touched)) if touched else (),
            "curves": tuple(training.curves(config.training)),
        }
    )
