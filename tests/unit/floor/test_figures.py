"""What is written at the ticks of an axis of shares."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from medctx.plotting import percentages


@pytest.mark.parametrize("low", [-0.3, 0.0, 0.56])
@pytest.mark.parametrize("width", [0.008, 0.07, 0.22, 0.4, 1.0])
def test_every_tick_says_where_it_stands(low: float, width: float) -> None:
    """A tick at 77.5 is not written as 78."""
    axes = Figure(figsize=(5, 4)).add_subplot()
    axes.set_ylim(low, low + width)
    percentages(axes.yaxis)
    ticks, written = axes.get_yticks(), [label.get_text() for label in axes.get_yticklabels()]
    assert [float(text.replace("\N{MINUS SIGN}", "-")) for text in written] == pytest.approx([100 * at for at in ticks])
    if width >= 0.07:
        assert all("." not in text for text in written)
