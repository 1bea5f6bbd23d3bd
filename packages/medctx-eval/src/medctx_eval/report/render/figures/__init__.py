"""The pictures of a report, each with its caption."""

from collections.abc import Callable, Iterable

from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import bars, behaviour, curves, heat, plane, style
from medctx_eval.report.render.figures.style import Picture

__all__ = ["Picture", "draw"]

_PICTURES: tuple[Callable[[Report], Iterable[Picture]], ...] = (
    curves.ratio,
    plane.pareto,
    bars.difference_figure,
    curves.amount,
    bars.published_figure,
    bars.conditions,
    heat.by_length,
    heat.losses,
    behaviour.behaviour_figure,
    bars.verdicts,
    curves.training,
)


def draw_figures(report: Report) -> dict[str, Picture]:
    """All pictures the report has the numbers for, by name."""
    with style.look():
        return {picture.name: picture for function in _PICTURES for picture in function(report)}
