"""What results show in a notebook: a Markdown table with the numbers of the result."""

from __future__ import annotations

import pytest

from medctx_eval import ReportConfig, compare
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.compute import compute
from medctx_eval.report.exam_comparison import ExamComparison
from medctx_eval.report.load.collect import collect_in_memory
from medctx_eval.report.markdown_table import table_lines
from medctx_eval.report.model import Report
from medctx_eval.stats.formatting import percent, points
from tests.support import synthetic_runs

CONFIG = ReportConfig(draws=200)


def cells(markdown: str) -> list[list[str]]:
    """The cells of every row of every table, headings and rules left out."""
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    texts = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    return [row for place, row in enumerate(texts) if not rows[place].startswith("| ---") and "%" not in "".join(row)]


@pytest.fixture(scope="module")
def report() -> Report:
    names = ("0:1", "base")
    runs = [
        RunFolder(manifest=synthetic_runs.manifest(name, len(judged)), judged=judged)
        for name in names
        for judged in [tuple(synthetic_runs.judged(name, 20, 12))]
    ]
    return compute(collect_in_memory(names, runs), CONFIG)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> ExamComparison:
    return compare(synthetic_runs.write(tmp_path_factory.mktemp("runs"), ("base", "0:1"), 20, 12), CONFIG)


def test_a_report_shows_its_cells_with_both_axes(report: Report) -> None:
    rows = {row[0]: row[1:] for row in cells(report._repr_markdown_())}
    assert rows.keys() == {cell.name for cell in report.cells}
    score, gain = report.score("0:1", "reading"), report.axis_gain("0:1", "reading")
    assert score is not None and gain is not None
    assert rows["0:1"][2].startswith(percent(score.accuracy.value))
    assert rows["0:1"][3].startswith(points(gain.difference.value)) and rows["0:1"][3].endswith(gain.outcome)
    assert rows["base"][1] == rows["base"][3] == "base"


def test_a_comparison_shows_every_accuracy_and_every_difference(comparison: ExamComparison) -> None:
    rows = cells(comparison._repr_markdown_())
    assert len(rows) == len(comparison.accuracies) + len(comparison.differences)
    assert [row[1] for row in rows[: len(comparison.accuracies)]] == [row.cell for row in comparison.accuracies]
    assert all(
        row[3].startswith(points(entry.difference.value)) and row[3].endswith(entry.outcome)
        for row, entry in zip(rows[len(comparison.accuracies) :], comparison.differences, strict=True)
    )


def test_a_name_with_signs_of_markdown_stays_one_cell() -> None:
    (_, _, row) = table_lines(("cell",), [("a|b_*c*\nd",)])
    assert row == "| a\\|b\\_\\*c\\* d |"
    assert table_lines(("cell",), []) == []
