"""Labels beside points, off the markers, the arms and one another, each joined to its point."""

from __future__ import annotations

from collections.abc import Sequence

import textalloc
from matplotlib.axes import Axes

from medctx_eval.report.render.figures import style

Corners = tuple[float, float, float, float]

_SIZE = 9


def place_labels(
    axes: Axes,
    places: Sequence[tuple[float, float]],
    texts: Sequence[str],
    colours: Sequence[str],
    corners: Sequence[Corners] = (),
) -> None:
    """Write every text near its place (data coordinates) and draw a thin line to it in the colour of its point.

    ``corners``: the ends (left, bottom, right, top) of each place's error bars, in data coordinates.
    """
    x, y = [place[0] for place in places], [place[1] for place in places]
    across = [((left, right), (level, level)) for (left, _, right, _), level in zip(corners, y, strict=False)]
    upright = [((level, level), (low, high)) for (_, low, _, high), level in zip(corners, x, strict=False)]
    arms = across + upright
    textalloc.allocate(
        axes, x, y, list(texts), x_scatter=x, y_scatter=y,
        x_lines=[list(arm[0]) for arm in arms], y_lines=[list(arm[1]) for arm in arms],
        textsize=_SIZE, textcolor=style.INK, linecolor=list(colours), linewidth=0.8,
        min_distance=0.02, max_distance=0.25,
        avoid_label_lines_overlap=True, avoid_crossing_label_lines=True,
    )  # fmt: skip
