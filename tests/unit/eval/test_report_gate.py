"""The gate on differences that are written down."""

from __future__ import annotations

import pytest

from medctx.schemas.records import Verdict
from medctx.schemas.report import Comparison, Contamination, Score
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.decision.gate import card, checks, decide
from medctx_eval.report.load.collect import collect_in_memory
from medctx_eval.report.model import Report
from tests.support import synthetic_runs

Span = tuple[float, float, float]


@pytest.fixture(scope="module")
def template() -> Report:
    names = ("base", "1:1", "0:1")
    runs = []
    for name in names:
        judged = tuple(
            record for record in synthetic_runs.judged(name, facts=20, dossiers=12) if record.tags.get("taught") != "no"
        )
        runs.append(RunFolder(manifest=synthetic_runs.manifest(name, len(judged)), judged=judged))
    return compute(collect_in_memory(names, runs), ReportConfig(draws=200))


def having(template: Report, spans: dict[tuple[str, str], Span]) -> Report:
    """The report with these (low, value, high) against the base."""

    def changed(comparison: Comparison) -> Comparison:
        low, value, high = spans[comparison.cell, comparison.part]
        result = comparison.difference.model_copy(update={"low": low, "value": value, "high": high})
        return comparison.model_copy(update={"difference": result, "outcome": result.outcome(0.05)})

    kept = tuple(changed(comparison) for comparison in template.family("headline"))
    return template.model_copy(update={"comparisons": kept})


def test_largest_gain_among_those_that_keep_reading(template: Report) -> None:
    spans = {
        ("1:1", "knowledge"): (0.05, 0.12, 0.2),
        ("1:1", "reading"): (-0.04, 0.0, 0.04),
        ("0:1", "knowledge"): (0.1, 0.18, 0.25),
        ("0:1", "reading"): (-0.3, -0.2, -0.1),
    }
    decision = decide(having(template, spans))
    assert (decision.champion, decision.passed) == ("1:1", ("1:1",))
    assert decision.reason.startswith(
        "1:1 gains 12.0 points of knowledge over base (95 % interval +5.0 to +20.0) and equals it"
    )
    wide = decide(having(template, spans).model_copy(update={"margin": 0.31}))
    assert (wide.champion, wide.passed) == ("0:1", ("1:1", "0:1"))


def test_nothing_passes_and_the_reason_says_what_failed(template: Report) -> None:
    spans = {
        ("1:1", "knowledge"): (0.05, 0.12, 0.2),
        ("1:1", "reading"): (-0.05, 0.0, 0.05),
        ("0:1", "knowledge"): (0.1, 0.18, 0.25),
        ("0:1", "reading"): (-0.3, -0.2, -0.1),
    }
    decision = decide(having(template, spans))
    assert decision.champion == ""
    assert decision.reason.startswith("No cell passes the gate, because every cell that gains")
    assert "0:1 gains 18.0 points of knowledge over base" in decision.reason
    assert "1:1 gains 12.0 points" in decision.reason  # the nearer one is named too


def test_a_tie_in_knowledge_is_no_gain(template: Report) -> None:
    spans = {(cell, part): (0.0, 0.05, 0.1) for cell in ("1:1", "0:1") for part in ("knowledge", "reading")}
    decision = decide(having(template, spans))
    assert decision.champion == ""
    assert "none is shown to gain knowledge: one of the highest, 1:1 (as high as 0:1)," in decision.reason
    lower = decide(having(template, spans | {("0:1", "knowledge"): (-0.1, 0.04, 0.1)}))
    assert "none is shown to gain knowledge: the highest, 1:1, is" in lower.reason


def test_best_of_an_axis_is_a_cell_whose_gain_is_shown_and_the_notes_say_so(template: Report) -> None:
    spans = {
        ("1:1", "knowledge"): (0.05, 0.12, 0.2),
        ("1:1", "reading"): (-0.04, 0.0, 0.04),
        ("0:1", "knowledge"): (-0.01, 0.3, 0.6),
        ("0:1", "reading"): (-0.3, -0.2, -0.1),
    }
    decision = decide(having(template, spans))
    assert (decision.best_knowledge, decision.best_reading, decision.balanced) == ("1:1", "", "1:1")
    knowledge, reading, balanced = decision.notes
    assert knowledge.startswith("1:1 is best-knowledge: +12.0 points of knowledge over base")
    assert reading == "No cell is best-reading: none is shown to gain reading."
    assert balanced.startswith("1:1 is balanced")
    none = decide(having(template, {**spans, ("1:1", "knowledge"): (-0.05, 0.12, 0.2)}))
    assert (none.best_knowledge, none.balanced) == ("", "")


WINNING: dict[tuple[str, str], Span] = {
    ("1:1", "knowledge"): (0.05, 0.12, 0.2),
    ("1:1", "reading"): (-0.04, 0.0, 0.04),
    ("0:1", "knowledge"): (0.1, 0.18, 0.25),
    ("0:1", "reading"): (-0.03, 0.0, 0.03),
}


def unreadable(report: Report, cell: str, share: float) -> Report:
    """The report with so many of a cell's answers unparsable instead of wrong."""

    def changed(score: Score) -> Score:
        if score.cell != cell:
            return score
        moved = round(share * score.n)
        verdicts = {**score.verdicts, Verdict.UNPARSABLE: moved}
        verdicts[Verdict.WRONG] += score.verdicts[Verdict.UNPARSABLE] - moved
        return score.model_copy(update={"verdicts": verdicts})

    return report.model_copy(update={"scores": tuple(map(changed, report.scores))})


def test_a_cell_that_answers_unreadably_passes_no_gate(template: Report) -> None:
    winning = having(template, WINNING)
    assert decide(winning).champion == "0:1"
    assert decide(unreadable(winning, "0:1", 0.2)).champion == "1:1"
    both = unreadable(unreadable(winning, "0:1", 0.2), "1:1", 0.2)
    decision = decide(both)
    assert decision.champion == ""
    assert "% of its answers are unreadable, and 5.0 % are allowed." in decision.reason
    assert decide(both.model_copy(update={"max_unreadable": 0.3})).champion == "0:1"


@pytest.mark.parametrize(("result", "champion"), [(1, "0:1"), (10, "")])
def test_contamination_above_its_limit_stops_every_cell(template: Report, result: int, champion: str) -> None:
    contamination_report = Contamination(items=100, contaminated=result)
    report = having(template, WINNING).model_copy(update={"contamination": contamination_report})
    decision = decide(report)
    assert decision.champion == champion
    if not champion:
        assert decision.reason.endswith(
            "but 10.0 % of the items (10 of 100) are in the training data, and 1.0 % are allowed."
        )


def test_checks_say_what_holds_what_fails_and_what_was_not_looked_at(template: Report) -> None:
    spans = {**WINNING, ("0:1", "reading"): (-0.3, -0.2, -0.1)}
    results = {(check.cell, check.name): check.passed for check in checks(having(template, spans))}
    assert results["0:1", "knowledge"] and results["1:1", "reading"] and results["1:1", "readable"]
    assert results["0:1", "reading"] is False
    assert results["1:1", "clean"] is None


def test_items_the_ledger_was_not_made_for_are_not_called_clean(template: Report) -> None:
    contamination_report = Contamination(items=100, contaminated=0, unchecked_exams=("another exam",))
    report = having(template, WINNING).model_copy(update={"contamination": contamination_report})
    assert {check.passed for check in checks(report) if check.name == "clean"} == {None}


def test_cards_carry_what_the_gate_looked_at(template: Report) -> None:
    report = having(template, WINNING).model_copy(update={"contamination": Contamination(items=100, contaminated=3)})
    metrics = card(report, "1:1").metrics
    assert metrics["contaminated"] == 0.03
    assert metrics["unreadable"] == 0
    assert metrics["knowledge.gain.low"] == 0.05


def test_what_holds_for_one_cell_may_not_hold_over_all_cells(template: Report) -> None:
    """An interval that ends at the margin has P 2.5 %: enough for two cells, not for three."""
    spans = {**WINNING, ("1:1", "reading"): (-0.0499, 0.0, 0.05), ("0:1", "reading"): (-0.0499, 0.0, 0.05)}
    report = having(template, spans)
    family = {check.cell: check for check in checks(report) if check.name == "family"}
    assert all(check.value == pytest.approx(0.05, abs=0.001) and check.limit == 0.05 for check in family.values())
    assert set(decide(report).passed) == {"1:1", "0:1"}
    strict = decide(report.model_copy(update={"error_rate": 0.04}))
    assert strict.champion == ""
    assert "adjusted for the 2 cells that could be promoted it is not certain (P 0.0" in strict.reason
    power = {check.cell: check.power for check in checks(report) if check.name == "reading"}
    assert all(value is not None and 0 <= value < 0.6 for value in power.values())
