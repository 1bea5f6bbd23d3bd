"""A recommendation held against what its composition then measured."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.schemas.report import Cell, ReportCore
from study.config.study import general_share
from study.law.evidence import files
from study.law.evidence.from_report import share_of
from study.law.recommend.records import CheckedPart, Estimate, Forecast, ForecastCheck, Recommendation


def _cell(report: ReportCore, found: Recommendation, path: Path) -> Cell:
    """The trained cell of the recommended composition."""
    wanted = general_share(found.ratio)
    trained = [cell for cell in report.cells if not cell.base and cell.recipe.general_share is not None]
    alike = [cell for cell in trained if abs(share_of(cell) - wanted) < 1e-6]
    if not alike:
        raise MedctxError(
            f"{path} has no cell {found.ratio}; run it as a cell of the study first (its YAML stands beside the "
            "recommendation), then check."
        )
    # A composition that was trained on several amounts was recommended at one of them.
    return min(alike, key=lambda cell: abs((cell.recipe.amount or 0) - (found.amount or 0)))


def _part(report: ReportCore, cell: Cell, forecast: Forecast) -> CheckedPart | None:
    score = report.score(cell.name, forecast.part)
    if score is None:
        return None
    to_base = next(
        (
            one.difference
            for one in report.comparisons
            if (one.cell, one.other, one.part, one.mode) == (cell.name, report.base, forecast.part, report.mode)
        ),
        None,
    )
    value = score.accuracy.value
    return CheckedPart(
        part=forecast.part,
        predicted=forecast.measurement,
        predicted_difference=forecast.difference,
        runs=score.seeds or (value,),
        measured=Estimate(value=value, low=score.accuracy.low, high=score.accuracy.high),
        measured_difference=Estimate(value=to_base.value, low=to_base.low, high=to_base.high) if to_base else None,
        inside=forecast.measurement.low <= value <= forecast.measurement.high,
    )


def _sentence(found: Recommendation, parts: tuple[CheckedPart, ...], kept: bool | None, gained: bool | None) -> str:
    told = "; ".join(
        f"{one.part} was predicted as {100 * one.predicted.value:.1f} [{100 * one.predicted.low:.1f}, "
        f"{100 * one.predicted.high:.1f}] and measured as {100 * one.measured.value:.1f} "
        f"({'inside' if one.inside else 'OUTSIDE'})"
        for one in parts
    )
    shown = []
    if kept is not None and found.options.margin is not None:
        shows = "shows" if kept else "does not show"
        shown.append(f" Its interval {shows} that reading is kept within {100 * found.options.margin:g} points.")
    if gained is not None:
        shown.append(f" Its interval {'shows' if gained else 'does not show'} a gain of knowledge.")
    return f"{found.ratio}: {told}.{''.join(shown)}"


def check(found: Recommendation, report_path: Path) -> ForecastCheck:
    """Hold a recommendation against a report that has its composition as a cell.

    Raises MedctxError where it has not, or where the cell was measured before the recommendation was made.
    """
    report = files.read_report(report_path)
    cell = _cell(report, found, report_path)
    if found.repeats:
        raise MedctxError(
            f"The recommended composition {found.ratio} was measured before (cell {found.repeats}), so its scores are "
            "part of the forecast; the law's leave-one-out table is the check of it."
        )
    parts = tuple(one for forecast in found.forecasts if (one := _part(report, cell, forecast)))
    by_part = {one.part: one.measured_difference for one in parts}
    reading, knowledge = by_part.get("reading"), by_part.get("knowledge")
    margin = found.options.margin
    kept = reading.low > -margin if reading is not None and margin is not None else None
    gained = knowledge.low > 0 if knowledge is not None else None
    return ForecastCheck(
        cell=cell.name,
        sources={str(report_path): digest.of_file(report_path)},
        parts=parts,
        kept=kept,
        gained=gained,
        sentence=_sentence(found, parts, kept, gained),
    )
