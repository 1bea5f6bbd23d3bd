"""The composition of a mix as a picture, where matplotlib is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from medctx.schemas.mix import MixManifest

NAME = "composition"
LEGEND_CHARS = 84
"""Characters, the coloured boxes included, that fit into a line of the legend."""
FAINTEST = 4
"""Sources of one domain that are told apart by how faint they are; then it begins again."""


def draw(manifest: MixManifest, folder: Path) -> bool:
    """Write the asked and realised shares of each source; False where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    from medctx import plotting as figures

    bars = (("asked", "asked"), ("tokens", "token_share"), ("dialogues", "dialogue_share"))
    names = [f"{source.label} ({source.domain})" for source in manifest.sources]
    columns = max(1, min(4, LEGEND_CHARS // (max(map(len, names), default=0) + 6)))
    with figures.look():
        figure = Figure(figsize=(7.0, 2.2 + 0.25 * -(-len(names) // columns)), layout="constrained")
        axes = figure.subplots()
        left = [0.0] * len(bars)
        for number, source in enumerate(manifest.sources):
            widths = [getattr(source, field) for _, field in bars]
            axes.barh(
                [name for name, _ in bars],
                widths,
                left=left,
                color=figures.BLUE if source.domain == "general" else figures.VERMILLION,
                alpha=1.0 - 0.15 * (number % FAINTEST),
                edgecolor="white",
                label=names[number],
            )
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        figures.percentages(axes.xaxis)
        axes.set_xlabel("share of the mix, %")
        axes.set_title(
            f"general:medical {manifest.ratio} by {manifest.by}, {manifest.tokens:,} tokens, seed {manifest.seed}",
            fontsize=10,
            loc="left",
        )
        figure.legend(loc="outside lower center", ncols=columns)
    figures.save(figure, folder, NAME)
    return True
