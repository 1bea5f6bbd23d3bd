"""From run folders to numbers: what adds up, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.io.digest import of_text
from medctx.schemas.records import Judged, Mode, Verdict
from medctx.schemas.report import LEARNING, Comparison, Recipe, Score
from medctx.schemas.study_plan import PlanAxis
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.compare import failed_answers
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.decision.gate import decide
from medctx_eval.report.load.cells import cells_of
from medctx_eval.report.load.collect import collect, collect_in_memory, names_of
from medctx_eval.report.load.estimands import estimands_of
from medctx_eval.report.load.view import view_of
from medctx_eval.report.model import Report
from medctx_eval.report.recipe import ratio_label, share_in_name
from medctx_eval.report.render.figures.curves import series
from tests.support import synthetic_runs

CONFIG = ReportConfig(draws=200)
FACTS, DOSSIERS = 20, 12


def run(name: str, records: list[Judged] | None = None, **changed: object) -> RunFolder:
    judged = tuple(records if records is not None else synthetic_runs.judged(name, FACTS, DOSSIERS))
    manifest = synthetic_runs.manifest(name, len(judged)).model_copy(update=changed)
    return RunFolder(manifest=manifest, judged=judged)


def score_of(report: Report, cell: str, part: str, mode: Mode | None = None) -> Score:
    result = report.score(cell, part, mode)
    assert result is not None
    return result


@pytest.fixture(scope="module")
def report() -> Report:
    names = ("0:1", "1:1", "base", "1:0")
    return compute(collect_in_memory(names, [run(name) for name in names]), CONFIG)


def test_verdicts_add_up_and_n_is_the_same_for_every_cell(report: Report) -> None:
    for score in report.scores:
        assert sum(score.verdicts.values()) == score.n
        if score.part != "reading":
            assert score.accuracy.value == pytest.approx(score.verdicts[Verdict.CORRECT] / score.n)
        assert score.accuracy.value <= score.upper_bound <= 1
        assert score_of(report, report.base, score.part, score.mode).n == score.n


def test_a_score_whose_verdicts_do_not_add_up_cannot_be_made(report: Report) -> None:
    fields = report.scores[0].model_dump()
    with pytest.raises(ValueError, match="add up to"):
        Score.model_validate({**fields, "n": fields["n"] + 1})


def test_runs_computed_in_different_ways_are_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    fine, coarse = {"logits": "float32"}, {"logits": "in the steps of a half precision"}
    collect_in_memory(("base", "1:1"), [run("base", means=fine), run("1:1", means=fine)])
    assert capsys.readouterr().err == ""
    collect_in_memory(("base", "1:1"), [run("base", means=fine), run("1:1", means=coarse)])
    said = capsys.readouterr().err
    assert "transformers, logits float32; transformers, logits in the steps of a half precision" in " ".join(
        said.split()
    )


def test_a_mode_read_by_different_means_is_refused_unless_allowed() -> None:
    runs = collect_in_memory(
        ("base", "1:1"), [run("base", means={"text": "every token"}), run("1:1", means={"text": "the likeliest 20"})]
    )
    with pytest.raises(MedctxError, match=r"were read by different means \(base: every token; 1:1: the likel"):
        compute(runs, CONFIG)
    assert compute(runs, ReportConfig(draws=100, different_means=True)).cells
    letters = collect_in_memory(
        ("base", "1:1"), [run("base", means={"letter": "a"}), run("1:1", means={"letter": "b"})]
    )
    assert compute(letters, CONFIG).mode == "text"


def test_failed_answers_are_counted_in_front() -> None:
    records = list(synthetic_runs.judged("1:1", FACTS, DOSSIERS))
    failed = [record.model_copy(update={"verdict": Verdict.FAILED, "chosen": ()}) for record in records[:3]]
    view = view_of(
        runs := collect_in_memory(("base", "1:1"), [run("base"), run("1:1", [*failed, *records[3:]])]),
        "text",
        cells_of(runs, "", {}),
    )
    assert failed_answers(view) == {"1:1": 3}
    (warning,) = compute(runs, CONFIG).warnings  # the third is under altered evidence, on neither axis
    assert warning.startswith("Answers that failed count as not correct: 1:1 2.")


def test_unanswerable_questions_under_a_reading_condition_count_on_abstention_alone() -> None:
    def records(name: str) -> list[Judged]:
        return [
            record.model_copy(update={"axis": "abstention", "gold": (synthetic_runs.CANNOT,), "verdict": Verdict.WRONG})
            if record.condition == "gold" and int(record.cluster.rpartition("-")[2]) % 2
            else record
            for record in synthetic_runs.judged(name, FACTS, DOSSIERS)
        ]

    names = ("base", "1:1")
    mixed = compute(collect_in_memory(names, [run(name, records(name)) for name in names]), CONFIG)
    plain = compute(collect_in_memory(names, [run(name) for name in names]), CONFIG)
    half = score_of(plain, "base", "gold").n // 2
    assert score_of(mixed, "base", "gold").n == half
    assert score_of(mixed, "base", "gold").accuracy.value > 0.3
    assert score_of(mixed, "base", "reading").n == score_of(plain, "base", "reading").n - half
    assert score_of(mixed, "base", "abstention").n == score_of(plain, "base", "abstention").n + half
    sizes = {part.condition: part.items for estimand in mixed.estimands for part in estimand.parts}
    assert sizes["gold"] == half
    # Of an exam of unanswerable questions alone, the condition stays a part.
    only = [record for record in records("base") if record.condition != "gold" or record.axis == "abstention"]
    assert score_of(compute(collect_in_memory(("base",), [run("base", only)]), CONFIG), "base", "gold").n == half


def test_strata_of_untaught_items_alone_are_no_part_of_knowledge() -> None:
    def records(name: str) -> list[Judged]:
        return [
            record.model_copy(update={"exam": "strangers"}) if record.item.startswith("u/") else record
            for record in synthetic_runs.judged(name, FACTS, DOSSIERS)
        ]

    names = ("base", "1:1")
    result = compute(collect_in_memory(names, [run(name, records(name)) for name in names]), CONFIG)
    knowledge = next(estimand for estimand in result.estimands if estimand.axis == "knowledge")
    assert knowledge.measure == "accuracy"
    assert [(part.exam, part.items, part.untaught, part.weight) for part in knowledge.parts] == [
        ("synthetic", 2 * FACTS, 0, 1.0)
    ]
    # They still stand beside it.
    assert score_of(result, "base", "untaught").n == FACTS
    # With a part of both kinds that counts on its own, only its taught items are asked of an accuracy.
    plain = compute(collect_in_memory(names, [run(name) for name in names]), CONFIG)
    (part,) = next(estimand for estimand in plain.estimands if estimand.axis == "knowledge").parts
    assert (part.items, part.untaught) == (3 * FACTS, FACTS)


@pytest.mark.parametrize("change", [{"axis": "reading"}, {"exam": "another-file"}, {"gold": ("D",)}], ids=str)
def test_runs_that_know_an_item_differently_are_refused(change: dict[str, object]) -> None:
    """Also where two exam files give other questions the same ids and gold letters."""
    first, *others = synthetic_runs.judged("1:1", FACTS, DOSSIERS)
    changed = [first.model_copy(update=change), *others]
    with pytest.raises(MedctxError, match=r"The runs base and 1:1 disagree about the item .* \(exam, axis"):
        collect_in_memory(("base", "1:1"), [run("base"), run("1:1", changed)])


def test_a_part_in_one_cluster_is_named() -> None:
    def records(name: str) -> list[Judged]:
        return [
            record.model_copy(update={"item": f"one/{record.item}", "cluster": "one"})
            if record.condition.startswith("open:400")
            else record
            for record in synthetic_runs.judged(name, FACTS, DOSSIERS)
        ]

    names = ("base", "1:1")
    result = compute(collect_in_memory(names, [run(name, records(name)) for name in names]), CONFIG)
    score, gain = score_of(result, "1:1", "reading"), result.axis_gain("1:1", "reading")
    assert gain
    assert (score.accuracy.low, score.accuracy.high, gain.difference.low, gain.difference.high) == (0, 1, -1, 1)
    assert any(
        warning.startswith("All items of synthetic open:400 lie in one cluster, so reading has no interval")
        for warning in result.warnings
    )


def test_a_run_that_lost_verdicts_is_refused() -> None:
    whole = run("base")
    torn = RunFolder(manifest=whole.manifest, judged=whole.judged[:-3])
    with pytest.raises(MedctxError, match=r"The run base holds [\d,]+ verdicts but its manifest states"):
        collect_in_memory(("base",), [torn])


def test_unreadable_answers_lie_between_the_bounds() -> None:
    result = compute(
        collect_in_memory(("base", "1:1"), [run("base"), run("1:1")]), ReportConfig(draws=200, mode="generate")
    )
    score = score_of(result, "1:1", "reading")
    assert score.unreadable == score.verdicts[Verdict.UNPARSABLE] + score.verdicts[Verdict.TRUNCATED] > 0
    apart = [score_of(result, "1:1", part) for part in ("gold", "open:200", "open:400")]
    assert score.upper_bound == pytest.approx(sum(part.upper_bound for part in apart) / 3)
    assert apart[0].upper_bound == pytest.approx(apart[0].accuracy.value + apart[0].unreadable / apart[0].n)
    assert score.validity == pytest.approx(1 - score.unreadable / score.n)


def test_cells_go_from_base_over_general_to_medical(report: Report) -> None:
    assert [cell.name for cell in report.cells] == ["base", "1:0", "1:1", "0:1"]
    assert [cell.recipe.general_share for cell in report.cells] == [None, 1, 0.5, 0]


def test_every_cell_is_compared_with_the_base_of_its_own_weights() -> None:
    names = ("small", "small 1:1", "large", "large 1:0", "large 0:1")
    runs = [
        run(
            {"small": "base", "large": "base"}.get(name, name.split()[-1]),
            cell=name,
            weights_digest=of_text(name.split()[0]),
        )
        for name in names
    ]
    result = compute(collect_in_memory(names, runs), CONFIG)
    assert [(cell.name, cell.base, cell.recipe.base) for cell in result.cells] == [
        ("small", True, ""),
        ("small 1:1", False, "small"),
        ("large", True, ""),
        ("large 1:0", False, "large"),
        ("large 0:1", False, "large"),
    ]
    assert {(comparison.cell, comparison.other) for comparison in result.family("headline")} == {
        ("small 1:1", "small"),
        ("large 1:0", "large"),
        ("large 0:1", "large"),
    }
    assert {(comparison.cell, comparison.other) for comparison in result.family("pairs")} == {
        *((comparison.cell, comparison.other) for comparison in result.family("headline")),
        ("large 0:1", "large 1:0"),
    }
    assert {attribution.cell for attribution in result.attributions} == {"small 1:1", "large 1:0", "large 0:1"}
    assert (result.base, result.base_label) == ("small", "its base")
    alone = compute(collect_in_memory(names, runs), ReportConfig(draws=200, base="large"))
    assert {comparison.other for comparison in alone.family("headline")} == {"large"}


def test_a_curve_goes_through_cells_that_differ_along_its_axis_alone() -> None:
    names = ("base", "1:0", "1:1", "0:1", "0:1@10k", "0:1@20k")
    amounts = {"1:0": 40, "1:1": 40, "0:1": 40, "0:1@10k": 10, "0:1@20k": 20}
    recipes = {name: Recipe(amount=amount, method="lora") for name, amount in amounts.items()}
    result = compute(collect_in_memory(names, [run(name) for name in names]), ReportConfig(draws=200, cells=recipes))
    assert [[cell.name for cell in group] for group in series(result.tuned, "general_share")] == [["0:1", "1:1", "1:0"]]
    assert [[cell.name for cell in group] for group in series(result.tuned, "amount")] == [
        ["0:1@10k", "0:1@20k", "0:1"]
    ]
    assert series(result.tuned, "method") == []


def test_untaught_items_count_in_no_headline_number(report: Report) -> None:
    counts = [score_of(report, "base", part).n for part in ("knowledge", "untaught", "closed")]
    assert counts == [40, 20, 40]


def test_depths_add_up_to_their_length(report: Report) -> None:
    apart = [score_of(report, "1:1", f"open:200:{depth}").n for depth in ("0", "0.5", "1")]
    assert sum(apart) == score_of(report, "1:1", "open:200").n == 48


def test_orders_of_the_options_are_averaged_within_their_item(report: Report) -> None:
    score = score_of(report, "1:1", "knowledge", "letter")
    assert (score.accuracy.n, score.n) == (40, 160)


def test_every_pair_is_compared_once_and_adjusted_in_its_family(report: Report) -> None:
    pairs = report.family("pairs")
    assert len(pairs) == 6 * 2
    assert all(comparison.p_holm >= comparison.difference.p for comparison in report.comparisons)
    assert len(report.family("headline")) == 3 * 2


def test_differences_are_differences_of_the_accuracies(report: Report) -> None:
    def value(cell: str, comparison: Comparison) -> float:
        part, mode = comparison.part, comparison.mode
        if part == LEARNING:
            taught, untaught = (score_of(report, cell, name, mode) for name in ("knowledge", "untaught"))
            return taught.accuracy.value - untaught.accuracy.value
        return score_of(report, cell, part, mode).accuracy.value

    for comparison in report.comparisons:
        expected = value(comparison.cell, comparison) - value(comparison.other, comparison)
        assert comparison.difference.value == pytest.approx(expected)


def test_an_axis_is_the_mean_of_its_conditions_and_the_same_number_everywhere(report: Report) -> None:
    (knowledge, reading) = report.estimands
    assert (knowledge.measure, [part.name for part in knowledge.parts]) == (LEARNING, ["synthetic closed"])
    assert {part.name: part.weight for part in reading.parts} == pytest.approx(
        {"synthetic gold": 1 / 3, "synthetic open:200": 1 / 3, "synthetic open:400": 1 / 3}
    )
    assert [part.items for part in reading.parts] == [68, 48, 48]
    reads = {row.cell: row.behaviour.reads for row in report.behaviours}
    for cell in report.cells:
        score = score_of(report, cell.name, "reading")
        apart = [score_of(report, cell.name, part).accuracy.value for part in ("gold", "open:200", "open:400")]
        by_rows = score.verdicts[Verdict.CORRECT] / score.n
        assert score.accuracy.value == pytest.approx(sum(apart) / 3)
        assert score.accuracy.value != pytest.approx(by_rows)
        assert reads[cell.name] == score.accuracy
        assert score.seeds == pytest.approx((score.accuracy.value,))


def test_weights_of_the_config_are_those_of_the_axis_and_leave_out_what_they_do_not_name() -> None:
    weights = {"reading": {"synthetic open:200": 1.0, "synthetic open:400": 3.0}}
    config = ReportConfig.model_validate({"draws": 200, "weights": weights})
    runs = collect_in_memory(("base", "1:1"), [run("base"), run("1:1")])
    result = compute(runs, config)
    score = score_of(result, "1:1", "reading")
    apart = [score_of(result, "1:1", part).accuracy.value for part in ("open:200", "open:400")]
    assert score.accuracy.value == pytest.approx(0.25 * apart[0] + 0.75 * apart[1])
    assert score.n == 96
    assert score_of(result, "1:1", "gold").n == 68
    difference = result.axis_gain("1:1", "reading")
    base = score_of(result, "base", "reading").accuracy.value
    assert difference is not None and difference.difference.value == pytest.approx(score.accuracy.value - base)
    unknown: dict[PlanAxis, dict[str, float]] = {"reading": {"synthetic open:9": 1.0}}
    with pytest.raises(MedctxError, match=r"weights.reading names 'synthetic open:9', which was not asked"):
        compute(runs, ReportConfig(weights=unknown))
    # Those of a plan, of which some parts may be missing.
    with pytest.raises(MedctxError, match="None of the parts that reading weighs was asked"):
        estimands_of(runs.modes["text"], unknown)


def test_modes_are_compared_within_themselves_only(report: Report) -> None:
    assert report.modes == ("text", "generate", "letter")
    assert {comparison.mode for comparison in report.comparisons if comparison.family == "headline"} == set(
        report.modes
    )
    assert {comparison.mode for comparison in report.comparisons if comparison.family != "headline"} == {"text"}
    assert len(report.family("headline", "letter")) == 6


def without_room(name: str, prefix: str) -> RunFolder:
    records = [
        verdict.model_copy(update={"verdict": Verdict.DOES_NOT_FIT, "chosen": ()})
        if verdict.condition.startswith(prefix) and verdict.order == 0
        else verdict
        for verdict in synthetic_runs.judged(name, FACTS, DOSSIERS)
    ]
    return run(name, records)


def test_what_does_not_fit_one_cell_fits_none() -> None:
    names = ("base", "1:1", "0:1")
    result = compute(collect_in_memory(names, [run("base"), without_room("1:1", "open:400"), run("0:1")]), CONFIG)
    whole = compute(collect_in_memory(names, [run(name) for name in names]), CONFIG)
    for name in names:
        score = score_of(result, name, "reading")
        assert (score.n, score.verdicts[Verdict.DOES_NOT_FIT]) == (164, 48)
        assert score.dropped_for_others == (0 if name == "1:1" else 48)
        # One order that does not fit takes the others of its item with it.
        assert score_of(result, name, "open:400", "letter").verdicts[Verdict.DOES_NOT_FIT] == 4 * 48
    for cell in ("1:1", "0:1"):
        reading, before = result.gain(cell, "reading"), whole.gain(cell, "reading")
        assert reading is not None and before is not None
        assert (reading.difference.n, reading.dropped, before.dropped) == (116, 48, 0)
        assert result.gain(cell, "open:400") is None


def test_unequal_item_sets_are_refused_by_name() -> None:
    records = list(synthetic_runs.judged("1:1", facts=20, dossiers=12))
    with pytest.raises(
        MedctxError, match=r"The run 1:1 lacks 3 questions that base has, first the item 'k/0/0' under closed"
    ):
        collect_in_memory(("base", "1:1"), [run("base"), run("1:1", records[3:])])
    with pytest.raises(MedctxError, match="The run base lacks 1 questions that 1:1 has"):
        collect_in_memory(("base", "1:1"), [run("base", list(synthetic_runs.judged("base", 20, 12))[1:]), run("1:1")])
    with pytest.raises(MedctxError, match=r"judges the item 'k/0/0' under closed .* twice"):
        collect_in_memory(("1:1",), [run("1:1", [records[0], *records])])


def test_unequal_exams_modes_and_golds_are_refused() -> None:
    base, other = run("base"), run("1:1")
    card = other.manifest.exams[0].model_copy(update={"digest": "f" * 64})
    manifest = other.manifest.model_copy(update={"exams": (card,)})
    with pytest.raises(MedctxError, match="their questions differ"):
        collect_in_memory(("base", "1:1"), [base, other.model_copy(update={"manifest": manifest})])
    manifest = other.manifest.model_copy(update={"mode": "letter"})
    apart = collect_in_memory(("base", "1:1"), [base, other.model_copy(update={"manifest": manifest})])
    with pytest.raises(MedctxError, match="results of different modes are not compared; choose one with mode=NAME"):
        compute(apart, CONFIG)
    assert compute(apart, ReportConfig(draws=200, mode="letter")).mode == "letter"
    with pytest.raises(MedctxError, match="No run judged an item in the headline mode 'choice'"):
        compute(apart, ReportConfig(mode="choice"))
    moved = [other.judged[0].model_copy(update={"cluster": "elsewhere"}), *other.judged[1:]]
    with pytest.raises(MedctxError, match="disagree about the item 'k/0/0'"):
        collect_in_memory(("base", "1:1"), [base, run("1:1", moved)])


def test_configured_names_must_be_runs() -> None:
    aligned = collect_in_memory(("base", "1:1"), [run("base"), run("1:1")])
    with pytest.raises(MedctxError, match="no run 'bse' to be the base; the runs are: base, 1:1"):
        compute(aligned, ReportConfig(base="bse"))
    for key, value in (("cells", {"amount": 1}), ("training", "x")):
        with pytest.raises(MedctxError, match=f"The key {key}.1:9 names no run"):
            compute(aligned, ReportConfig.model_validate({key: {"1:9": value}}))
    with pytest.raises(MedctxError, match=r"The key cells.1:1.base names no cell: 'bse'; the cells are: base, 1:1"):
        compute(aligned, ReportConfig(cells={"1:1": Recipe(base="bse")}))
    with pytest.raises(MedctxError, match=r"The key cells.base.base makes base a tuned cell"):
        compute(aligned, ReportConfig(cells={"base": Recipe(base="1:1"), "1:1": Recipe(base="base")}))
    with pytest.raises(MedctxError, match="No run folder was given"):
        collect([])


def test_one_run_alone_is_a_report_without_comparisons() -> None:
    result = compute(collect_in_memory(("base",), [run("base")]), CONFIG)
    assert result.comparisons == ()
    assert decide(result).reason == "Only base was examined: there is nothing to compare."


def test_seeds_of_a_cell_are_taken_together() -> None:
    names = ("base", "1:1-0", "1:1-1", "0:1")
    result = compute(collect_in_memory(names, [run(name) for name in names]), CONFIG)
    assert [cell.name for cell in result.cells] == ["base", "1:1", "0:1"]
    assert [run.manifest.training_seed for run in result.cells[1].runs] == [0, 1]
    score = score_of(result, "1:1", "knowledge")
    assert (score.n, score.accuracy.n, score.accuracy.seeds) == (80, 40, 2)
    assert score.accuracy.value == pytest.approx(sum(score.seeds) / 2)
    gain = result.gain("0:1", "reading")
    assert gain is not None
    assert (gain.difference.seeds, gain.difference.seed_df) == (1, 1)  # what 1:1 shows of seeds counts for 0:1 too


def test_runs_that_name_one_cell_and_seed_are_cells_of_their_own() -> None:
    runs = [run("base"), run("1:1", cell="mix"), run("0:1", cell="mix")]
    assert collect_in_memory(("base", "1:1", "0:1"), runs).cells == ("base", "1:1", "0:1")


def test_the_same_weights_again_measure_noise_and_are_no_cell() -> None:
    other = [
        verdict.model_copy(update={"verdict": Verdict.WRONG, "chosen": ()}) if verdict.item == "k/0/0" else verdict
        for verdict in synthetic_runs.judged("base", FACTS, DOSSIERS)
    ]
    names = ("base", "1:1", "again")
    result = compute(collect_in_memory(names, [run("base"), run("1:1"), run("base", other)]), CONFIG)
    assert [cell.name for cell in result.cells] == ["base", "1:1"]
    knowledge, reading = result.noise_floor
    assert (knowledge.cell, knowledge.runs, knowledge.part) == ("base", ("base", "again"), "knowledge")
    assert knowledge.noise.answers.value == pytest.approx(1 / 40)
    assert reading.noise.difference.value <= 0


def test_a_mode_that_only_some_were_judged_in_compares_only_those() -> None:
    texts = [verdict for verdict in synthetic_runs.judged("0:1", FACTS, DOSSIERS) if verdict.mode == "text"]
    result = compute(collect_in_memory(("base", "1:1", "0:1"), [run("base"), run("1:1"), run("0:1", texts)]), CONFIG)
    assert result.score("0:1", "reading", "letter") is None
    assert {comparison.cell for comparison in result.family("headline", "letter")} == {"1:1"}
    assert {comparison.cell for comparison in result.family("headline")} == {"1:1", "0:1"}


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
    assert share_in_name(name) == share


def test_a_ratio_is_labelled_as_its_name_says_or_by_its_share() -> None:
    assert ratio_label("4:1-s0", 0.8) == "4:1"
    assert ratio_label("4:1", 0.5) == "50% general"
    assert ratio_label("mostly", 0.9) == "90% general"


def test_models_computed_on_different_hardware_are_named_in_front() -> None:
    first, second = {"hardware": "processor A"}, {"hardware": "processor B"}
    runs = [run("base", **first), run("1:1", **first)]
    report = compute(collect_in_memory(("base", "1:1"), runs[:2]), CONFIG)
    assert not any("different ways" in warning for warning in report.warnings)
    runs[1] = run("1:1", **second)
    report = compute(collect_in_memory(("base", "1:1"), runs[:2]), CONFIG)
    (warning,) = [warning for warning in report.warnings if "different ways" in warning]
    assert "base by transformers, processor A; 1:1 by transformers, processor B" in warning


def test_a_noise_floor_says_what_computed_both_exams(tmp_path: Path) -> None:
    folders = synthetic_runs.write(tmp_path, ("base", "1:1"), facts=8, dossiers=10)
    records = list(synthetic_runs.judged("base", 8, 10))
    manifest = synthetic_runs.manifest("base", len(records)).model_copy(update={"hardware": "processor B"})
    run_folder.write_run(tmp_path / "again" / "base", manifest, records)
    report = compute(collect([*folders, tmp_path / "again" / "base"]), CONFIG)
    assert {row.computed_by for row in report.noise_floor} == {("transformers", "transformers, processor B")}
