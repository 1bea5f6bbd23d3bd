"""Labels in a crowded picture: none on another, none on a marker, and the same ones each time."""

from __future__ import annotations

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.plane import place_labels

CROWD = [(31.0, 60.6), (37.5, 72.3), (39.5, 73.9), (40.5, 75.8), (40.0, 65.9), (47.5, 70.5), (51.5, 66.7), (55.0, 67.0)]
NAMES = ["base", "1:0", "9:1", "4:1", "1:1 20k", "1:1", "1:4", "1:9"]
HALF_MARKER = 3.0
"""Points."""


def drawn() -> tuple[list[Text], list[Bbox], list[Bbox]]:
    """The texts, their boxes, and those of the markers, in pixels."""
    with style.look():
        figure, axes = style.axes()
        canvas = FigureCanvasAgg(figure)
        axes.set_xlim(20, 65)
        axes.set_ylim(45, 90)
        arms = [(x - 8, y - 10, x + 8, y + 10) for x, y in CROWD]
        place_labels(axes, CROWD, NAMES, [style.colour(n) for n in range(len(CROWD))], arms)
        canvas.draw()
        texts = list(axes.texts)
        half = HALF_MARKER * figure.dpi / 72
        marked = [axes.transData.transform(place) for place in CROWD]
        markers = [Bbox([[x - half, y - half], [x + half, y + half]]) for x, y in marked]
        return texts, [text.get_window_extent(canvas.get_renderer()) for text in texts], markers


def test_no_label_lies_on_another_or_on_a_marker() -> None:
    texts, boxes, markers = drawn()
    assert [text.get_text() for text in texts] == NAMES
    for first, other in itertools.combinations(boxes, 2):
        assert not first.overlaps(other)
    for box, marker in itertools.product(boxes, markers):
        assert not box.overlaps(marker)


def test_labels_take_the_colour_that_a_dark_page_turns_light() -> None:
    texts, _, _ = drawn()
    assert {text.get_color() for text in texts} == {style.INK}


def test_the_same_picture_each_time() -> None:
    assert [text.get_position() for text in drawn()[0]] == [text.get_position() for text in drawn()[0]]
