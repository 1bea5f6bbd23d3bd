"""From run folders to numbers: what adds up, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.records import Judged, Verdict
from medctx_eval.gate import decide
from medctx_eval.report import Report, ReportConfig
from medctx_eval.report.collect import align, collect, names_of
from medctx_eval.report.compute import compute
from medctx_eval.report.ratios import general_share, label
from medctx_eval.run_folder import RunFolder
from tests.eval import synthetic_runs

CONFIG = ReportConfig(draws=500)


def run(name: str, records: list[Judged] | None = None) -> RunFolder:
    judged = tuple(records if records is not None else synthetic_runs.judged(name, facts=20, dossiers=12))
    return RunFolder(manifest=synthetic_runs.manifest(name, len(judged)), judged=judged)


@pytest.fixture(scope="module")
def report() -> Report:
    names = ("0:1", "1:1", "base", "1:0")
    return compute(align(names, [run(name) for name in names]), CONFIG)


def test_verdicts_add_up_and_n_is_the_same_for_every_cell(report: Report) -> None:
    for score in report.scores:
        assert sum(score.verdicts.values()) == score.accuracy.n
        assert score.accuracy.value == score.verdicts[Verdict.CORRECT] / score.accuracy.n
        assert score.accuracy.value <= score.upper <= 1
        first = report.score(report.base, score.part, score.mode)
        assert first is not None
        assert first.accuracy.n == score.accuracy.n


def test_cells_go_from_base_over_general_to_medical(report: Report) -> None:
    assert [cell.name for cell in report.cells] == ["base", "1:0", "1:1", "0:1"]
    assert [cell.general_share for cell in report.cells] == [None, 1, 0.5, 0]


def test_untaught_items_count_in_no_headline_number(report: Report) -> None:
    knowledge, untaught = report.score("base", "knowledge"), report.score("base", "untaught")
    closed = report.score("base", "closed")
    assert knowledge is not None
    assert untaught is not None
    assert closed is not None
    assert (knowledge.accuracy.n, untaught.accuracy.n, closed.accuracy.n) == (40, 20, 40)


def test_depths_add_up_to_their_length(report: Report) -> None:
    together = report.score("1:1", "open:200")
    apart = [report.score("1:1", f"open:200:{depth}") for depth in ("0", "0.5", "1")]
    assert together is not None
    assert sum(one.accuracy.n for one in apart if one) == together.accuracy.n == 48


def test_every_pair_is_compared_once_and_adjusted_in_its_family(report: Report) -> None:
    pairs = report.family("pairs")
    assert len(pairs) == 6 * 2
    assert all(one.p_holm >= one.difference.p_swap for one in report.comparisons)
    assert len(report.family("headline")) == 3 * 2


def test_differences_are_differences_of_the_accuracies(report: Report) -> None:
    for one in report.comparisons:
        mine, other = report.score(one.cell, one.part), report.score(one.other, one.part)
        assert mine is not None
        assert other is not None
        assert one.difference.value == pytest.approx(mine.accuracy.value - other.accuracy.value)


def test_what_does_not_fit_one_counts_for_neither() -> None:
    records = list(synthetic_runs.judged("1:1", facts=20, dossiers=12))
    too_long = [
        one.model_copy(update={"verdict": Verdict.DOES_NOT_FIT, "chosen": ()})
        if one.condition.startswith("open:400")
        else one
        for one in records
    ]
    found = compute(align(("base", "1:1"), [run("base"), run("1:1", too_long)]), CONFIG)
    reading = found.gain("1:1", "reading")
    assert reading is not None
    assert (reading.difference.n, reading.dropped) == (96, 48)
    assert found.gain("1:1", "open:400") is None
    score = found.score("1:1", "reading")
    assert score is not None
    assert (score.accuracy.n, score.verdicts[Verdict.DOES_NOT_FIT]) == (144, 48)


def test_unequal_item_sets_are_refused_by_name() -> None:
    records = list(synthetic_runs.judged("1:1", facts=20, dossiers=12))
    with pytest.raises(MedctxError, match=r"The run 1:1 lacks 3 that base has, first the item 'k/0/0' under closed"):
        align(("base", "1:1"), [run("base"), run("1:1", records[3:])])
    with pytest.raises(MedctxError, match="The run base lacks 1 that 1:1 has"):
        align(("base", "1:1"), [run("base", list(synthetic_runs.judged("base", 20, 12))[1:]), run("1:1")])
    with pytest.raises(MedctxError, match=r"judges the item 'k/0/0' under closed .* twice"):
        align(("1:1",), [run("1:1", [records[0], *records])])


def test_unequal_exams_modes_and_golds_are_refused() -> None:
    base, other = run("base"), run("1:1")
    card = other.manifest.exams[0].model_copy(update={"digest": "f" * 64})
    manifest = other.manifest.model_copy(update={"exams": (card,)})
    with pytest.raises(MedctxError, match="their questions differ"):
        align(("base", "1:1"), [base, other.model_copy(update={"manifest": manifest})])
    manifest = other.manifest.model_copy(update={"mode": "letter"})
    with pytest.raises(MedctxError, match="never ranked across"):
        align(("base", "1:1"), [base, other.model_copy(update={"manifest": manifest})])
    moved = [other.judged[0].model_copy(update={"cluster": "elsewhere"}), *other.judged[1:]]
    with pytest.raises(MedctxError, match="disagree about the item 'k/0/0'"):
        align(("base", "1:1"), [base, run("1:1", moved)])


def test_configured_names_must_be_runs() -> None:
    aligned = align(("base", "1:1"), [run("base"), run("1:1")])
    with pytest.raises(MedctxError, match="no run 'bse' to be the base; the runs are: base, 1:1"):
        compute(aligned, ReportConfig(base="bse"))
    with pytest.raises(MedctxError, match="names no run or is outside"):
        compute(aligned, ReportConfig(ratios={"1:1": 3}))
    with pytest.raises(MedctxError, match="No run folder was given"):
        collect([])


def test_one_run_alone_is_a_report_without_comparisons() -> None:
    found = compute(align(("base",), [run("base")]), CONFIG)
    assert found.comparisons == ()
    assert decide(found, 0.05).reason == "Only base was examined: there is nothing to compare."


def test_names_are_the_parts_in_which_folders_differ() -> None:
    assert names_of([Path("/a/1:1/exam"), Path("/a/0:1/exam")]) == ("1:1", "0:1")
    assert names_of([Path("/a/x/s0"), Path("/a/x/s1"), Path("/a/y/s0")]) == ("x/s0", "x/s1", "y/s0")
    assert names_of([Path("/a/only")]) == ("only",)
    with pytest.raises(MedctxError, match="given twice"):
        names_of([Path("/a/x"), Path("/a/y"), Path("/a/x")])


@pytest.mark.parametrize(
    ("name", "share"), [("1:1", 0.5), ("9:1", 0.9), ("0:1", 0), ("4:1/s0", 0.8), ("0:0", None), ("base", None)]
)
def test_shares_are_read_from_names(name: str, share: float | None) -> None:
    assert general_share(name, {}) == share
    assert general_share(name, {name: 0.25}) == 0.25


def test_a_ratio_is_labelled_as_its_name_says_or_by_its_share() -> None:
    assert label("4:1-s0", 0.8) == "4:1"
    assert label("4:1", 0.5) == "50% general"
    assert label("mostly", 0.9) == "90% general"
