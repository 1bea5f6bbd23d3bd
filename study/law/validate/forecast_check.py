"""A recommendation held against what its composition then measured."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.schemas.ratio import general_share
from medctx.schemas.report import Cell, ReportCore
from study.law.evidence import files
from study.law.evidence.from_report import share_of
from study.law.recommend.records import CheckedPart, Forecast, ForecastCheck, LawEstimate, Recommendation


def _cell(report: ReportCore, recommendation: Recommendation, path: Path) -> Cell:
    """The trained cell of the recommended composition."""
    share = general_share(recommendation.ratio)
    trained = [cell for cell in report.cells if not cell.base and cell.recipe.general_share is not None]
    matching = [cell for cell in trained if abs(share_of(cell) - share) < 1e-6]
    if not matching:
        raise MedctxError(
            f"{path} has no cell {recommendation.ratio}; run it as a cell of the study first (its YAML is beside "
            "the recommendation), then check."
        )
    # A composition that was trained on several amounts was recommended at one of them.
    return min(matching, key=lambda cell: abs((cell.recipe.amount or 0) - (recommendation.amount or 0)))


def _part(report: ReportCore, cell: Cell, forecast: Forecast) -> CheckedPart | None:
    score = report.score(cell.name, forecast.part)
    if score is None:
        return None
    to_base = next(
        (
            comparison.difference
            for comparison in report.comparisons
            if (comparison.cell, comparison.other, comparison.part, comparison.mode)
            == (cell.name, report.base, forecast.part, report.mode)
        ),
        None,
    )
    value = score.accuracy.value
    return CheckedPart(
        part=forecast.part,
        predicted=forecast.measurement,
        predicted_difference=forecast.difference,
        runs=score.seeds or (value,),
        measured=LawEstimate(value=value, low=score.accuracy.low, high=score.accuracy.high),
        measured_difference=LawEstimate(value=to_base.value, low=to_base.low, high=to_base.high) if to_base else None,
        inside=forecast.measurement.low <= value <= forecast.measurement.high,
    )


def _sentence(
    recommendation: Recommendation, parts: tuple[CheckedPart, ...], kept: bool | None, gained: bool | None
) -> str:
    text = "; ".join(
        f"{part.part} was predicted as {100 * part.predicted.value:.1f} [{100 * part.predicted.low:.1f}, "
        f"{100 * part.predicted.high:.1f}] and measured as {100 * part.measured.value:.1f} "
        f"({'inside' if part.inside else 'OUTSIDE'})"
        for part in parts
    )
    shown = []
    if kept is not None and recommendation.options.margin is not None:
        shows = "shows" if kept else "does not show"
        shown.append(f" Its interval {shows} that reading stays within {100 * recommendation.options.margin:g} points.")
    if gained is not None:
        shown.append(f" Its interval {'shows' if gained else 'does not show'} a gain of knowledge.")
    return f"{recommendation.ratio}: {text}.{''.join(shown)}"


def check_forecast(recommendation: Recommendation, report_path: Path) -> ForecastCheck:
    """Hold a recommendation against a report that has its composition as a cell.

    Raises MedctxError where it has not, or where the cell was measured before the recommendation was made.
    """
    report = files.read_report(report_path)
    cell = _cell(report, recommendation, report_path)
    if recommendation.repeats:
        raise MedctxError(
            f"The recommended composition {recommendation.ratio} was measured before (cell "
            f"{recommendation.repeats}), so its scores are part of the forecast; the law's leave-one-out "
            "table is the check of it."
        )
    parts = tuple(part for forecast in recommendation.forecasts if (part := _part(report, cell, forecast)))
    by_part = {part.part: part.measured_difference for part in parts}
    reading, knowledge = by_part.get("reading"), by_part.get("knowledge")
    margin = recommendation.options.margin
    kept = reading.low > -margin if reading is not None and margin is not None else None
    gained = knowledge.low > 0 if knowledge is not None else None
    return ForecastCheck(
        cell=cell.name,
        sources={str(report_path): digest.of_file(report_path)},
        parts=parts,
        kept=kept,
        gained=gained,
        sentence=_sentence(recommendation, parts, kept, gained),
    )
