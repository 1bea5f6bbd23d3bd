"""The front and the balanced cell on scores and differences that are written down."""

from __future__ import annotations

import pytest

from medctx.schemas.report import Comparison
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.decision.pareto import balanced, pareto_positions
from medctx_eval.report.load.collect import collect_in_memory
from medctx_eval.report.model import Report
from tests.support import synthetic_runs

Span = tuple[float, float, float]


@pytest.fixture(scope="module")
def template() -> Report:
    runs = []
    for name in ("base", "1:1", "0:1"):
        judged = tuple(
            record for record in synthetic_runs.judged(name, facts=20, dossiers=12) if record.tags.get("taught") != "no"
        )
        runs.append(RunFolder(manifest=synthetic_runs.manifest(name, len(judged)), judged=judged))
    return compute(collect_in_memory(("base", "1:1", "0:1"), runs), ReportConfig(draws=200))


def with_values(template: Report, values: dict[str, tuple[float, float]], sure: set[tuple[str, str, str]]) -> Report:
    """Accuracies (knowledge, reading) by cell; ``sure``: (better, worse, axis) whose interval excludes 0."""
    scores = []
    for score in template.scores:
        if score.part in ("knowledge", "reading"):
            value = values[score.cell][score.part == "reading"]
            accuracy = score.accuracy.model_copy(update={"value": value, "low": value - 0.05, "high": value + 0.05})
            scores.append(score.model_copy(update={"accuracy": accuracy}))
        else:
            scores.append(score)

    def changed(comparison: Comparison) -> Comparison:
        word = "not told apart"
        if (comparison.cell, comparison.other, comparison.part) in sure:
            word = "gains"
        elif (comparison.other, comparison.cell, comparison.part) in sure:
            word = "loses"
        if comparison.part not in ("knowledge", "reading"):
            return comparison
        axis = comparison.part == "reading"
        value = values[comparison.cell][axis] - values[comparison.other][axis]
        difference = comparison.difference.model_copy(update={"value": value})
        return comparison.model_copy(update={"outcome": word, "difference": difference})

    comparisons = tuple(changed(comparison) for comparison in template.comparisons)
    return template.model_copy(update={"scores": tuple(scores), "comparisons": comparisons})


def standings(report: Report) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {position.cell: (position.standing, position.dominated_by) for position in pareto_positions(report)}


def test_a_cell_behind_on_both_axes_is_behind_as_surely_as_the_intervals_say(template: Report) -> None:
    values = {"base": (0.3, 0.6), "1:1": (0.5, 0.7), "0:1": (0.7, 0.4)}
    unsure = standings(with_values(template, values, set()))
    assert unsure == {"base": ("possibly dominated", ("1:1",)), "1:1": ("front", ()), "0:1": ("front", ())}
    surely = standings(with_values(template, values, {("1:1", "base", "knowledge")}))
    assert surely["base"] == ("dominated", ("1:1",))


def test_equals_are_both_on_the_front(template: Report) -> None:
    values = {"base": (0.5, 0.5), "1:1": (0.5, 0.5), "0:1": (0.5, 0.5)}
    assert {standing for standing, _ in standings(with_values(template, values, set())).values()} == {"front"}


def test_the_balanced_cell_has_the_largest_smaller_gain(template: Report) -> None:
    values = {"base": (0.3, 0.6), "1:1": (0.4, 0.68), "0:1": (0.7, 0.61)}
    gains = {("1:1", "base", "knowledge"), ("0:1", "base", "knowledge")}
    assert balanced(with_values(template, values, gains)) == "1:1"
    assert balanced(with_values(template, values, {("0:1", "base", "knowledge")})) == "0:1"
    assert balanced(with_values(template, values, set())) == ""


def test_a_cell_that_surely_loses_balances_nothing(template: Report) -> None:
    values = {"base": (0.3, 0.6), "1:1": (0.2, 0.58), "0:1": (0.7, 0.4)}
    gains = {("1:1", "base", "reading"), ("0:1", "base", "knowledge")}
    lost = {("base", "1:1", "knowledge"), ("base", "0:1", "reading")}
    assert balanced(with_values(template, values, gains | lost)) == ""
    assert balanced(with_values(template, values, gains | {("base", "0:1", "reading")})) == "1:1"
