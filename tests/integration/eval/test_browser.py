"""The page in a real browser: it is silent, paints its figures, filters its items, and runs nothing it was told."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from medctx_eval.report.build import write_report
from medctx_eval.report.config import ReportConfig
from tests.support import chromium, synthetic_runs

pytestmark = pytest.mark.skipif(
    chromium.find() is None,
    reason="no Chromium or no Playwright here (make install browser, or set MEDCTX_CHROMIUM to a browser)",
)

HOSTILE = (
    "<script>window.broken = 1</script></script><img src=x onerror='window.broken = 2'></style></textarea>"
    "\N{RIGHT-TO-LEFT OVERRIDE}drawkcab\N{RIGHT-TO-LEFT MARK} & \N{LINE SEPARATOR} ]]> --> "
)
LONG = HOSTILE + "x" * 50_000
WAYS = ("light", "dark", "phone")


@pytest.fixture(scope="module")
def page() -> Iterator[chromium.Page]:
    with chromium.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("browser")
    folders = synthetic_runs.write(root / "runs", facts=20, dossiers=12)
    training = synthetic_runs.write_training(root, ["1:0", "1:1", "0:1"])
    write_report(folders, root / "out", ReportConfig(title="A study", draws=100, training=training))
    return root / "out" / "report.html"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose items, Books, replies and exam card try to be more than text."""
    root = tmp_path_factory.mktemp("hostile")
    folders = synthetic_runs.write(root / "runs", ("base", "1:1"), facts=12, dossiers=9, said=HOSTILE)
    synthetic_runs.write_paper(root / "runs", facts=12, dossiers=9, question=LONG)
    write_report(folders, root / "out", ReportConfig(title=HOSTILE, draws=100, mode="generate"))
    return root / "out" / "report.html"


def show(page: chromium.Page, path: Path, way: str = "light") -> None:
    page.size(390 if way == "phone" else 1280, mobile=way == "phone", dark=way == "dark")
    page.complaints.clear()
    page.open(path)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_complains_and_nothing_is_fetched(page: chromium.Page, report: Path, way: str) -> None:
    show(page, report, way)
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.run("new Promise((done) => setTimeout(done, 100))")
    assert page.complaints == []


def test_a_complaint_would_be_heard(page: chromium.Page, report: Path) -> None:
    show(page, report)
    page.run("console.error('heard'); fetch('https://example.org/').catch(() => 0)")
    assert any("heard" in complaint for complaint in page.complaints)
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


@pytest.mark.parametrize("way", WAYS)
def test_every_figure_is_painted(page: chromium.Page, report: Path, way: str) -> None:
    from matplotlib.image import imread

    show(page, report, way)
    names = page.run("[...document.querySelectorAll('figure')].map((one) => one.id)")
    assert len(names) == 11
    for name in names:
        picture = page.tab.locator(f"#{name} svg")
        box = picture.bounding_box()
        assert box is not None and box["width"] > 250 and box["height"] > 100
        pixels = imread(BytesIO(picture.screenshot()))[..., :3]
        # Ink against the page: text and lines are some percent of a figure, and more than one colour.
        differs = abs(pixels - pixels[2, 2]).max(axis=-1) > 0.2
        assert 0.01 < differs.mean() < 0.9, name
        assert pixels[differs].std(axis=0).max() > 0.05, name


def test_a_telephone_shows_the_whole_legend_of_a_figure_that_is_wider(page: chromium.Page, report: Path) -> None:
    show(page, report, "phone")
    picture = "document.querySelector('#figure-conditions svg')"
    assert page.run(f"{picture}.getBoundingClientRect().right") > 390, "else it need not be cared for"
    names = ["question-blind reader", "base", "1:0", "1:1", "0:1"]
    ends = page.run(
        f"[...{picture}.querySelectorAll('text')]"
        ".map((one) => [one.textContent.trim(), one.getBoundingClientRect().right])"
    )
    shown = {name: end for name, end in ends if name in names}
    assert set(shown) == set(names) and max(shown.values()) < 390


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(page: chromium.Page, report: Path, hostile: Path, width: int) -> None:
    for path in (report, hostile):
        page.size(width, mobile=width < 500)
        page.open(path)
        page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.run("document.documentElement.scrollWidth") == width


def choose(page: chromium.Page, field: str, value: str) -> None:
    kind = "input" if field == "search" else "change"
    page.run(
        f"(() => {{ const one = document.getElementById('browser-{field}');"
        f"one.value = {value!r}; one.dispatchEvent(new Event('{kind}')); }})()"
    )


def matching(page: chromium.Page) -> int:
    return int(page.run("document.getElementById('browser-count').textContent").split(" ")[0])


def badges(page: chromium.Page, word: str) -> int:
    return int(page.run(f"document.querySelectorAll('#browser .badge.{word}').length"))


def test_items_are_filtered_by_change_cell_condition_and_words(page: chromium.Page, report: Path) -> None:
    show(page, report)
    changed = matching(page)
    choose(page, "kind", "0")
    every = matching(page)
    assert every == 108 > changed > 0, "those that changed are shown first"
    choose(page, "kind", "1")
    gained = matching(page)
    shown = page.run("document.querySelectorAll('#browser article').length")
    assert 0 < gained < every and shown == min(gained, 10)
    assert badges(page, "gained") >= shown
    choose(page, "cell", "3")
    choose(page, "condition", page.run("document.querySelector('#browser-condition option:nth-child(2)').value"))
    assert 0 < matching(page) < gained
    for field, value in (("kind", "0"), ("cell", ""), ("condition", "")):
        choose(page, field, value)
    choose(page, "search", "FACT 7, question 1")
    assert matching(page) == 1
    assert "k/7/1" in page.run("document.querySelector('#browser article').textContent")
    choose(page, "search", "no item says this")
    assert matching(page) == 0


@pytest.mark.parametrize("way", WAYS)
def test_which_items_changed_is_one_touch_away_from_anywhere(page: chromium.Page, report: Path, way: str) -> None:
    show(page, report, way)
    link = page.tab.get_by_role("link", name="Which items changed")
    box = link.bounding_box()
    assert box is not None and 0 < box["y"] < 60 and box["x"] + box["width"] < 390, "on the first screen"
    page.run("document.documentElement.style.scrollBehavior = 'auto'")
    page.run("document.getElementById('provenance').scrollIntoView()")
    link.click()
    heading = page.run("document.querySelector('#items h2').getBoundingClientRect().top")
    bar = page.run("document.querySelector('nav').getBoundingClientRect().bottom")
    assert bar - 1 <= heading < 160, "below the contents, which stay where they are"


def test_more_items_and_their_books_come_when_asked_for(page: chromium.Page, report: Path) -> None:
    show(page, report)
    choose(page, "kind", "0")
    page.run("document.getElementById('browser-more').click()")
    assert page.run("document.querySelectorAll('#browser article').length") == 20
    assert page.run("document.querySelectorAll('#browser pre').length") == 0
    choose(page, "search", "dossier 3, question 0")
    page.run("document.querySelectorAll('#browser article details').forEach((one) => { one.open = true; })")
    page.run("new Promise((done) => setTimeout(done, 100))")
    texts = page.run("[...document.querySelectorAll('#browser pre')].map((one) => one.textContent)")
    assert any("The finding of dossier-3 is" in text for text in texts)


def test_the_button_turns_the_page_dark_and_back(page: chromium.Page, report: Path) -> None:
    show(page, report)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) != light
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) == light


def test_hostile_text_stays_text(page: chromium.Page, hostile: Path) -> None:
    show(page, hostile)
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.run("new Promise((done) => setTimeout(done, 200))")
    assert page.complaints == []
    assert page.run("window.broken") is None
    assert page.run("document.querySelectorAll('img, script').length") == 2  # the page's own code and data
    question = page.run("document.querySelector('#browser .question').textContent")
    assert question == LONG
    texts = page.run("[...document.querySelectorAll('#browser pre')].map((one) => one.textContent)")
    assert any(HOSTILE in text for text in texts)
    # Letters of the other direction end with their own element.
    after = page.run("getComputedStyle(document.querySelector('#browser .question')).unicodeBidi")
    assert after == "isolate"


def test_what_is_printed_has_the_figures_and_no_browser(page: chromium.Page, report: Path) -> None:
    show(page, report)
    page.tab.emulate_media(media="print")
    assert page.run("getComputedStyle(document.getElementById('items')).display") == "none"
    assert page.run("document.querySelector('figure svg').getBoundingClientRect().width") > 200
