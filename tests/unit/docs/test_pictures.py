"""The pictures of the concept pages say what the data say: drawn again, they hold the same texts."""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType

import pytest

from tests.support.paths import ROOT, load_script

IMAGES = ROOT / "docs" / "img"


@cache
def pictures() -> ModuleType:
    """docs/pictures.py, which is no module of a package."""
    return load_script(ROOT / "docs" / "pictures.py")


def texts(svg: str) -> list[str]:
    """The texts of a picture; coordinates differ between versions of matplotlib."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


@pytest.mark.parametrize("name", ["conditions", "floors", "gate"])
def test_a_picture_is_up_to_date(name: str) -> None:
    stored = (IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    assert texts(stored) == texts(pictures().svg(pictures().PICTURES[name])), "run: python docs/pictures.py"


def test_every_picture_is_shown_by_a_page_and_small() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    for name in pictures().PICTURES:
        assert f"../img/{name}.svg" in pages
        assert (IMAGES / f"{name}.svg").stat().st_size < 50_000


def test_the_gate_picture_shows_every_cell_with_both_intervals() -> None:
    cells = {cell: (knowledge, reading) for cell, knowledge, reading in pictures()._differences()}
    assert cells["0:1"] == ((31.0, 22.1, 39.8), (-9.8, -18.4, -1.3)) and len(cells) >= 6
