"""The gate on differences that are written down."""

from __future__ import annotations

import pytest

from medctx_eval.gate import decide
from medctx_eval.report import Comparison, Report, ReportConfig
from medctx_eval.report.collect import align
from medctx_eval.report.compute import compute
from medctx_eval.run_folder import RunFolder
from tests.eval import synthetic_runs

Span = tuple[float, float, float]


@pytest.fixture(scope="module")
def template() -> Report:
    names = ("base", "1:1", "0:1")
    runs = []
    for name in names:
        judged = tuple(synthetic_runs.judged(name, facts=20, dossiers=12))
        runs.append(RunFolder(manifest=synthetic_runs.manifest(name, len(judged)), judged=judged))
    return compute(align(names, runs), ReportConfig(draws=200))


def having(template: Report, spans: dict[tuple[str, str], Span]) -> Report:
    """The report with these (low, value, high) against the base."""

    def changed(one: Comparison) -> Comparison:
        low, value, high = spans[one.cell, one.part]
        found = one.difference.model_copy(update={"low": low, "value": value, "high": high})
        return one.model_copy(update={"difference": found, "word": found.word})

    kept = tuple(changed(one) for one in template.family("headline"))
    return template.model_copy(update={"comparisons": kept})


def test_largest_gain_among_those_that_keep_reading(template: Report) -> None:
    spans = {
        ("1:1", "knowledge"): (0.05, 0.12, 0.2),
        ("1:1", "reading"): (-0.04, 0.0, 0.04),
        ("0:1", "knowledge"): (0.1, 0.18, 0.25),
        ("0:1", "reading"): (-0.3, -0.2, -0.1),
    }
    decision = decide(having(template, spans), 0.05)
    assert (decision.champion, decision.passed) == ("1:1", ("1:1",))
    assert decision.reason.startswith(
        "1:1 gains 12.0 points of knowledge over base (95 % interval +5.0 to +20.0) and ties"
    )
    wide = decide(having(template, spans), 0.31)
    assert (wide.champion, wide.passed) == ("0:1", ("1:1", "0:1"))


def test_nothing_passes_and_the_reason_says_what_failed(template: Report) -> None:
    spans = {
        ("1:1", "knowledge"): (0.05, 0.12, 0.2),
        ("1:1", "reading"): (-0.05, 0.0, 0.05),
        ("0:1", "knowledge"): (0.1, 0.18, 0.25),
        ("0:1", "reading"): (-0.3, -0.2, -0.1),
    }
    decision = decide(having(template, spans), 0.05)
    assert decision.champion == ""
    assert decision.reason.startswith("No cell passes the gate, because every cell that gains")
    assert "0:1 gains 18.0 points of knowledge over base" in decision.reason
    assert "1:1 gains 12.0 points" in decision.reason  # the nearer one is named too


def test_a_tie_in_knowledge_is_no_gain(template: Report) -> None:
    spans = {(cell, part): (0.0, 0.05, 0.1) for cell in ("1:1", "0:1") for part in ("knowledge", "reading")}
    decision = decide(having(template, spans), 0.05)
    assert decision.champion == ""
    assert "none surely gains knowledge: at best" in decision.reason


def test_best_of_each_axis_is_a_tuned_cell(template: Report) -> None:
    decision = decide(template, 0.05)
    assert decision.best_knowledge in {"1:1", "0:1"}
    assert decision.best_reading in {"1:1", "0:1"}
