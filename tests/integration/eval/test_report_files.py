"""The written report: whole, self-contained, and deaf to hostile text."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from medctx.io.jsonl import read_record, write_record
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.report import Recipe
from medctx_eval.artifacts import run_folder
from medctx_eval.report.build import write_report
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.model import Report
from medctx_eval.report.render import figures, html, markdown
from medctx_eval.report.render.tables import main_table
from medctx_eval.stats.formatting import percent
from tests.support import synthetic_runs
from tests.support.registered_plan import RUNS, plan_of

PICTURES = (
    "ratio",
    "pareto",
    "differences",
    "conditions",
    "lengths",
    "loss-1",
    "loss-2",
    "loss-3",
    "behaviour",
    "verdicts",
    "training",
)
DECISION = Decision(champion="", reason="")
HOSTILE = '<script>alert(1)</script></style>$x^2$ | `a` & "b"'


class Elements(HTMLParser):
    """Names of the elements and every attribute value of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.values: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.values += [value or "" for _, value in attrs]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    root = tmp_path_factory.mktemp("report")
    folders = synthetic_runs.write(root / "runs", facts=30, dossiers=18)
    contamination_report = synthetic_runs.write_contamination_report(
        root / "contamination", [("k/0/0", "13-gram"), ("k/1/0", "exact")]
    )
    config = ReportConfig(
        title="A study",
        draws=200,
        contamination=contamination_report,
        training=synthetic_runs.write_training(root, ["1:0", "1:1"]),
        cells={name: Recipe(amount=40_000) for name in ("1:0", "1:1", "0:1")},
    )
    return root / "out", write_report(folders, root / "out", config)


def test_json_is_the_report(written: tuple[Path, Report]) -> None:
    out, report = written
    assert read_record(out / "report.json", Report) == report


def test_page_needs_no_network(written: tuple[Path, Report]) -> None:
    out, report = written
    text = (out / "report.html").read_text(encoding="utf-8")
    page = Elements(text)
    assert not {"link", "img", "iframe", "object", "form", "base"} & set(page.names)
    assert page.names.count("svg") == len(PICTURES)
    # Names of XML vocabularies are no addresses that anything fetches.
    assert [value for value in page.values if "//" in value and "w3.org" not in value] == []
    assert "@import" not in text and "url(http" not in text
    assert any(value.startswith("default-src 'none'; ") for value in page.values)
    assert report.headline.partition(": ")[0] in text


def test_the_page_allows_itself_its_own_script_and_no_other(written: tuple[Path, Report]) -> None:
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = Elements(text)
    assert any(value.endswith(f"; script-src 'sha256-{digest}'") for value in page.values)
    assert page.names.count("script") == 2  # the other holds data


def test_ids_of_inlined_figures_are_unique(written: tuple[Path, Report]) -> None:
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    ids = text.split(' id="')[1:]
    names = [identifier.split('"', 1)[0] for identifier in ids]
    assert len(names) == len(set(names)) > 0
    for use in text.split('href="#')[1:]:
        assert use.split('"', 1)[0] in names


def test_figures_exist_twice_and_markdown_shows_them(written: tuple[Path, Report]) -> None:
    out, report = written
    page = (out / "report.md").read_text(encoding="utf-8")
    for name in PICTURES:
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (out / "figures" / f"{name}.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
        assert f"figures/{name}.png" in page
    assert report.headline.partition(" (")[0] in page
    widths = {line.count(" | ") for line in page.splitlines() if line.startswith("| ")}
    assert len(widths) > 1  # several tables
    assert not list(out.rglob(".*"))  # nothing half-written is left


def test_of_many_cells_the_panels_are_behind_their_names(
    written: tuple[Path, Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, report = written
    pictures = figures.draw_figures(report)
    shown, folded = 'id="figure-loss-1"', "![loss-1]"
    assert html.html_page(report, pictures, DECISION, None).index(shown) < html.html_page(
        report, pictures, DECISION, None
    ).index("<summary>")
    assert folded in markdown.markdown_page(report, pictures)
    monkeypatch.setattr(figures.heat, "MAX_OPEN_PANELS", 2)
    page = html.html_page(report, pictures, DECISION, None)
    before = page[: page.index(shown)]
    assert 'id="figure-lengths"' in before
    assert before.rindex("<details>") > before.rfind("</details>")
    markdown_page = markdown.markdown_page(report, pictures)
    assert folded not in markdown_page
    assert "[1:0](figures/loss-1.png), [1:1](figures/loss-2.png), [0:1](figures/loss-3.png)" in markdown_page


def test_terminal_table_shows_every_cell_and_interval_in_80_columns(written: tuple[Path, Report]) -> None:
    console = Console(width=80, file=StringIO())
    with console.capture() as captured:
        console.print(main_table(written[1]))
    shown = captured.get()
    for cell in written[1].cells:
        assert f"\n{cell.name:5}" in shown
        score = written[1].score(cell.name, "reading")
        assert score is not None
        low, high = percent(score.accuracy.low), percent(score.accuracy.high)
        assert f"[{low}, {high}]" in shown  # whole, not wrapped
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = synthetic_runs.write(tmp_path / "runs", ("base", "1:1"), facts=12, dossiers=9)
    config = ReportConfig(draws=100)
    write_report(folders, tmp_path / "a", config)
    write_report(folders, tmp_path / "b", config)
    for name in ("report.html", "report.json", "report.md", "figures/pareto.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    folders = []
    for number, name in enumerate(("base", "1:1", "0:1")):
        judged = [
            verdict.model_copy(
                update={"tags": {**verdict.tags, "kind": HOSTILE}, "chosen": verdict.chosen and (HOSTILE,)}
            )
            for verdict in synthetic_runs.judged(name, facts=10, dossiers=6)
        ]
        manifest = synthetic_runs.manifest(name, len(judged))
        card = manifest.exams[0].model_copy(update={"citation": HOSTILE, "name": HOSTILE})
        manifest = manifest.model_copy(update={"model": HOSTILE, "exams": (card,), "versions": {HOSTILE: HOSTILE}})
        # A folder name cannot hold a slash, everything else it can.
        folder = tmp_path / (HOSTILE.replace("/", "") + name if number else "base")
        run_folder.write_run(folder, manifest.model_copy(update={"cell": HOSTILE}), judged)
        folders.append(folder)
    synthetic_runs.write_paper(tmp_path, facts=10, dossiers=6, question=HOSTILE)
    write_report(folders, tmp_path / "out", ReportConfig(title=HOSTILE, draws=100))
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    page = Elements(text)
    assert page.names.count("script") == 2  # its own code and its own data
    assert "alert(1)</script>" not in text
    assert text.count("</style>") == text.count("<style>") + text.count('<style type="text/css">')
    assert "&lt;script&gt;" in text
    assert "<script" not in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_one_run_alone_is_still_a_report(tmp_path: Path) -> None:
    report = write_report(
        synthetic_runs.write(tmp_path / "runs", ("base",), facts=12, dossiers=9),
        tmp_path / "out",
        ReportConfig(draws=100),
    )
    assert report.headline == "Only base was examined: there is nothing to compare."
    assert (tmp_path / "out" / "report.html").is_file()


def test_every_page_says_what_was_not_as_registered(tmp_path: Path) -> None:
    folders = synthetic_runs.write(tmp_path / "runs", RUNS, facts=20, dossiers=12)
    write_record(tmp_path / "plan.json", plan_of())
    config = ReportConfig(draws=200, plan=tmp_path / "plan.json", margin=0.1)
    report = write_report(folders, tmp_path / "out", config)
    assert report.registration is not None
    statement = report.registration.statement
    assert read_record(tmp_path / "out" / DECISION_FILE, Decision).registered == statement
    for name in ("report.html", "report.md"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "Not as registered (plan" in text
        assert "Primary contrast of the plan: 0:1 against base on reading" in text
        assert "Planned power 0.82 for 10.0 points" in text
