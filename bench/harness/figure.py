"""Figures of results: lines over a size, both axes logarithmic, with least and largest values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

Points = Sequence[tuple[float, float, float, float]]
"""Size, median, least, largest."""


def lines(path: Path, series: Mapping[str, Points], size: str, cost: str, title: str) -> None:
    """Draw one line per series."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for name, points in series.items():
        ordered = sorted(points)
        sizes, medians, least, most = zip(*ordered, strict=True)
        axes.errorbar(
            sizes,
            medians,
            yerr=[
                [a - b for a, b in zip(medians, least, strict=True)],
                [b - a for a, b in zip(medians, most, strict=True)],
            ],
            marker="o",
            capsize=3,
            label=name,
        )
    axes.set(xscale="log", yscale="log", xlabel=size, ylabel=cost)
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)
