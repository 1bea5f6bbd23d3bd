"""The pictures of a report, each with the sentence that stands under it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import bars, beside, curves, heat, panels, plane, style
from medctx_eval.report.render.figures.style import Picture

__all__ = ["Picture", "draw"]

_DRAWN: tuple[Callable[[Report], Iterable[Picture]], ...] = (
    curves.ratio,
    plane.pareto,
    bars.differences,
    curves.amount,
    beside.published,
    bars.conditions,
    heat.by_length,
    heat.losses,
    panels.conduct,
    bars.verdicts,
    curves.training,
)


def draw(report: Report) -> dict[str, Picture]:
    """Every picture the report has the numbers for, by name."""
    with style.look():
        return {picture.name: picture for function in _DRAWN for picture in function(report)}
