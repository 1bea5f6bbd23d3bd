"""Published values beside measured ones: placed by the interval, shown where measured and named where not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.schemas.report import Accuracy
from medctx_eval.report.analyses.published import agreement, position_of
from medctx_eval.report.build import write_report
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.model import Report
from medctx_eval.report.sections import Published
from tests.support import synthetic_runs


@pytest.mark.parametrize(
    ("value", "place"), [(0.29, "below"), (0.30, "inside"), (0.4, "inside"), (0.50, "inside"), (0.51, "above")]
)
def test_a_published_value_is_placed_by_the_measured_interval(value: float, place: str) -> None:
    assert position_of(value, Accuracy(n=100, clusters=50, value=0.4, low=0.3, high=0.5)) == place


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    folders = synthetic_runs.write(root / "runs", ("base", "1:1-0"), facts=16, dossiers=12)
    config = ReportConfig.model_validate(
        {
            "draws": 200,
            "published": {
                "source": "Somebody & others 2024, table 4",
                "note": "Their books were longer.",
                "values": {"base": 0.5, "1:1": 99.5, "9:1": 62.96},
            },
        }
    )
    write_report(folders, root / "out", config)
    return root / "out"


def read_published(written: Path) -> Published:
    report = Report.model_validate_json((written / "report.json").read_text())
    assert report.published is not None
    return report.published


def test_every_published_cell_is_in_the_report_measured_or_not(written: Path) -> None:
    cells = {cell.cell: cell for cell in read_published(written).cells}
    assert list(cells) == ["base", "1:1", "9:1"]
    assert cells["9:1"].measured is None and cells["9:1"].position is None
    report = json.loads((written / "report.json").read_text())
    reading = [score for score in report["scores"] if (score["part"], score["mode"]) == ("reading", report["mode"])]
    scored = {score["cell"]: score["accuracy"] for score in reading}
    for name in ("base", "1:1"):
        measured = cells[name].measured
        assert measured is not None and measured.value == scored[name]["value"]
    assert (cells["base"].position, cells["1:1"].position) == ("below", "above")
    assert agreement(read_published(written)).model_dump() == {"published": 3, "measured": 2, "inside": 0}


def test_page_markdown_and_picture_show_both(written: Path) -> None:
    page, text = (written / "report.html").read_text(), (written / "report.md").read_text()
    assert "Published and measured" in page and 'id="figure-published"' in page
    assert "Somebody &amp; others 2024, table 4" in page and "Their books were longer." in page
    assert "not examined" in page
    assert "| 9:1 | 63.0 | not examined |" in text
    assert (written / "figures/published.png").stat().st_size > 5_000


def test_a_misspelt_key_is_named(tmp_path: Path) -> None:
    from medctx.config import loading as configs

    with pytest.raises(MedctxError, match="Unknown key 'valeus'"):
        configs.load(ReportConfig, None, ["published.valeus={}"])
