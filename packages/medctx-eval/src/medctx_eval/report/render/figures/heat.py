"""Where reading is lost: the difference to the base over the length of the Book and the depth of the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medctx.schemas.report import Cell, Comparison
from medctx.schemas.statistics import MIN_CLUSTERS, Difference
from medctx_eval.report.load import parts
from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.style import Picture
from medctx_eval.stats.formatting import points

FULL_COLOUR = 0.3
"""Difference (30 points) from which colours have full strength."""
MAX_OPACITY = 0.55
"""Opacity of full colour: text on it stays readable on light and dark pages."""
UNSHOWN_OPACITY = 0.3
"""Factor on the opacity where no difference is shown, so that it does not attract the eye."""
MAX_OPEN_PANELS = 4
"""Number of tuned cells up to which all panels are shown; the panels of more cells are folded."""
_LEGEND = (
    "A triangle marks a shown gain or loss, = an interval within the margin; a number without a sign is not told apart "
    f"from 0 (always below {MIN_CLUSTERS} clusters). Colour follows the value and is pale where no difference is shown."
)


def grid_axes(report: Report) -> tuple[list[int], list[float]]:
    """Lengths and depths at which anything was compared, ascending."""
    conditions = [parts.parse_condition(part) for part in report.parts("grid")]
    lengths = sorted({condition.tokens for condition in conditions if condition.tokens is not None})
    return lengths, sorted({condition.depth for condition in conditions if condition.depth is not None})


def comparison_at(report: Report, cell: str, tokens: int, depth: float) -> Comparison | None:
    """A cell's difference to the base at one length and depth."""
    for comparison in report.family("grid"):
        condition = parts.parse_condition(comparison.part)
        if (comparison.cell, condition.tokens, condition.depth) == (cell, tokens, depth):
            return comparison
    return None


def _draw_square(axes: Axes, column: int, row: int, difference: Difference | None, margin: float) -> None:
    """One difference with its interval and number of items, coloured by sign and size."""
    if difference is None:
        axes.text(column, row, "not\nasked", ha="center", va="center", fontsize=7)
        return
    colour = style.BLUE if difference.value > 0 else style.VERMILLION
    outcome = difference.outcome(margin)
    opacity = MAX_OPACITY * min(1.0, abs(difference.value) / FULL_COLOUR)
    if not difference.excludes_zero:
        opacity *= UNSHOWN_OPACITY
    corner = (column - 0.48, row - 0.46)
    axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=colour, alpha=opacity, linewidth=0))
    axes.text(
        column, row - 0.22, style.OUTCOME_SIGNS[outcome] + points(difference.value), ha="center", va="center",
        fontsize=10, fontweight="bold" if difference.excludes_zero else "normal",
    )  # fmt: skip
    interval = f"{points(difference.low)} to {points(difference.high)}"
    axes.text(column, row + 0.1, interval, ha="center", va="center", fontsize=6.5)
    clusters = f" in {difference.clusters} clusters" if difference.few_clusters else ""
    axes.text(column, row + 0.32, f"n {difference.n}{clusters}", ha="center", va="center", fontsize=6.5)


def _board(columns: Sequence[str], rows: Sequence[str]) -> tuple[Figure, Axes]:
    """Axes for squares with the names of ``columns`` below and of ``rows`` on the left, the first row on top."""
    figure, axes = style.axes(width=0.9 + 0.95 * max(3, len(columns)), height=0.75 + 0.72 * len(rows))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), labels=columns)
    axes.set_yticks(range(len(rows)), labels=rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _panel(report: Report, cell: Cell, lengths: list[int], depths: list[float]) -> Figure:
    figure, axes = _board([f"{depth:.0%}" for depth in depths], [f"{tokens:,}" for tokens in lengths])
    for row, tokens in enumerate(lengths):
        for column, depth in enumerate(depths):
            comparison = comparison_at(report, cell.name, tokens, depth)
            _draw_square(axes, column, row, comparison.difference if comparison else None, report.margin)
    axes.set_xlabel("depth of the evidence in the Book")
    axes.set_ylabel("tokens of the Book")
    base = style.short_name(report.base_of(cell.name))
    axes.set_title(f"{style.short_name(cell.name)} against {base}", fontsize=10, fontweight="bold")
    return figure


def by_length(report: Report) -> Iterator[Picture]:
    """All tuned cells on one board over the length of the Book; no picture for one cell or one length."""
    by_cell = {
        entry.cell: {stratum.tokens: stratum.difference for stratum in entry.attribution.by_tokens}
        for entry in report.attributions
        if entry.attribution.by_tokens
    }
    lengths = sorted({tokens for strata in by_cell.values() for tokens in strata}, key=lambda tokens: tokens or 0)
    if len(by_cell) < 2 or len(lengths) < 2:
        return
    titles = ["evidence\nonly" if tokens is None else f"{tokens:,}" for tokens in lengths]
    figure, axes = _board(titles, [style.short_name(name, 16) for name in by_cell])
    for row, strata in enumerate(by_cell.values()):
        for column, tokens in enumerate(lengths):
            _draw_square(axes, column, row, strata.get(tokens), report.margin)
    axes.set_xlabel("tokens of the Book")
    yield Picture(
        "lengths",
        figure,
        f"Difference of every cell to {report.base_label} in points over the length of the Book, depths pooled, with "
        f"its 95 % interval and the number of items. {_LEGEND}",
    )


def panel_names(report: Report) -> dict[str, str]:
    """Names of the pictures over length and depth, by tuned cell."""
    lengths, _ = grid_axes(report)
    compared = {comparison.cell for comparison in report.family("grid")} if lengths else set()
    return {cell.name: f"loss-{number}" for number, cell in enumerate(report.tuned, start=1) if cell.name in compared}


def folded(report: Report) -> dict[str, str]:
    """The panels that are folded: all if there are many cells, else none."""
    return panel_names(report) if len(report.tuned) > MAX_OPEN_PANELS else {}


def losses(report: Report) -> Iterator[Picture]:
    """One panel over length and depth per tuned cell."""
    lengths, depths = grid_axes(report)
    names = panel_names(report)
    for cell in report.tuned:
        if cell.name in names:
            yield Picture(
                names[cell.name],
                _panel(report, cell, lengths, depths),
                f"{cell.name}: difference to {report.base_of(cell.name)} in points, with its 95 % interval and the "
                f"number of items. {_LEGEND}",
            )
