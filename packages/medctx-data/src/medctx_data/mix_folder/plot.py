"""The composition of a mix as a figure, where matplotlib is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from medctx.schemas.mix import MixManifest

NAME = "composition"
LEGEND_CHARS = 84
"""Characters that fit into a line of the legend, coloured boxes included."""
SHADES = 4
"""Number of shades that distinguish the sources of one domain."""


def draw(manifest: MixManifest, folder: Path) -> bool:
    """Write the requested and realised shares of each source; return False where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    from medctx import plotting

    bars = (("requested", "asked"), ("tokens", "token_share"), ("dialogues", "dialogue_share"))
    names = [f"{source.label} ({source.domain})" for source in manifest.sources]
    columns = max(1, min(4, LEGEND_CHARS // (max(map(len, names), default=0) + 6)))
    with plotting.look():
        figure = Figure(figsize=(7.0, 2.2 + 0.25 * -(-len(names) // columns)), layout="constrained")
        axes = figure.subplots()
        left = [0.0] * len(bars)
        for number, source in enumerate(manifest.sources):
            widths = [getattr(source, field) for _, field in bars]
            axes.barh(
                [name for name, _ in bars],
                widths,
                left=left,
                color=plotting.BLUE if source.domain == "general" else plotting.VERMILLION,
                alpha=1.0 - 0.15 * (number % SHADES),
                edgecolor="white",
                label=names[number],
            )
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        plotting.percentages(axes.xaxis)
        axes.set_xlabel("share of the mix, %")
        axes.set_title(
            f"general:medical {manifest.ratio} by {manifest.by}, {manifest.tokens:,} tokens, seed {manifest.seed}",
            fontsize=10,
            loc="left",
        )
        figure.legend(loc="outside lower center", ncols=columns)
    plotting.save_figure(figure, folder, NAME)
    return True
