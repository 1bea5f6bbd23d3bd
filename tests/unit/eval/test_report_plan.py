"""A report held against the registered plan of its study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.looks import results_table
from medctx.errors import MedctxError
from medctx.io.digest import of_text
from medctx.io.jsonl import read_records, write_record
from medctx.schemas.decision import Decision
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import Judged
from medctx.schemas.report import Registration
from medctx.schemas.study_plan import (
    Contrast,
    Family,
    StudyPlan,
    equal_weights,
)
from medctx_eval.artifacts import run_folder
from medctx_eval.report.compute import compute, decided
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import RunSet, collect
from medctx_eval.report.model import Report
from medctx_eval.report.render import markdown
from medctx_eval.stats.formatting import points
from tests.support import synthetic_runs
from tests.support.registered_plan import CELLS, RUNS, plan_of


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunSet:
    root = tmp_path_factory.mktemp("plan")
    return collect(synthetic_runs.write(root, RUNS, facts=20, dossiers=12))


def reported(runs: RunSet, folder: Path, plan: StudyPlan, **settings: object) -> tuple[Report, Decision]:
    write_record(folder / "plan.json", plan)
    config = ReportConfig.model_validate({"draws": 200, "plan": folder / "plan.json", **settings})
    return decided(compute(runs, config), config, {}, ())


def registration(report: Report) -> Registration:
    assert report.registration is not None
    return report.registration


def test_axes_weigh_as_registered_and_the_primary_contrast_stands_beside_its_prediction(
    runs: RunSet, tmp_path: Path
) -> None:
    report, decision = reported(runs, tmp_path, plan_of())
    result = registration(report)
    assert result.deviations == ()
    assert result.statement.startswith("as registered (plan ")
    assert decision.registered == result.statement
    assert report.headline.endswith(f"{result.statement[0].upper()}{result.statement[1:]}.")
    score = report.score("0:1", "reading")
    apart = [report.score("0:1", condition) for condition in ("open:200", "open:400")]
    assert score and all(apart)
    assert score.accuracy.value == pytest.approx(sum(row.accuracy.value for row in apart if row) / 2)
    gain = report.axis_gain("0:1", "reading")
    assert gain is not None and result.difference == gain.difference
    assert result.as_predicted is (-0.3 <= gain.difference.value <= -0.05)


@pytest.mark.parametrize(
    ("settings", "changed", "clause"),
    [
        ({"margin": 0.1}, {}, "margin 10 instead of 5 points"),
        ({"weights": {"reading": {"synthetic gold": 1.0}}}, {}, "other parts or weights of an axis"),
        ({}, {"cells": (*CELLS, "1:9")}, "another family (1 comparisons left out, 0 added)"),
        ({}, {"cells": ("base", "0:1")}, "another family (0 comparisons left out, 2 added)"),
    ],
)
def test_what_was_done_otherwise_leads_the_headline(
    runs: RunSet, tmp_path: Path, settings: dict[str, object], changed: dict[str, object], clause: str
) -> None:
    plan = plan_of(**changed)
    if "1:9" in plan.cells:
        more = Contrast(cell="1:9", against="base", axis="reading")
        plan = plan.model_copy(update={"family": Family(contrasts=(*plan.family.contrasts, more))})
    elif len(plan.cells) == 2:
        kept = tuple(contrast for contrast in plan.family.contrasts if contrast.cell == "0:1")
        plan = plan.model_copy(update={"family": Family(contrasts=kept)})
    report, decision = reported(runs, tmp_path, plan, **settings)
    missing = ("without the registered cell 1:9",) if "1:9" in plan.cells else ()
    assert registration(report).deviations == (clause, *missing)
    assert report.headline.startswith(f"Not as registered (plan {registration(report).digest}): {clause}")
    assert decision.registered.startswith("not as registered")


def card(name: str, digest: str) -> ExamCard:
    return ExamCard(name=name, source="", licence="", citation="", digest=digest)


PARTS = [("synthetic", "open:200", 48, 12), ("synthetic", "open:400", 47, 12)]


@pytest.mark.parametrize(
    ("changed", "settings", "clause"),
    [
        ({"training_seeds": (0, 1)}, {}, "1:1 with training seeds 0 instead of 0, 1"),
        ({"cells": (*CELLS, "1:9")}, {}, "without the registered cell 1:9"),
        ({"selection": (card("synthetic", "other"),)}, {}, "other questions of synthetic"),
        (
            {"selection": (card("synthetic", of_text("synthetic")), card("ward", "w"))},
            {},
            "without the exam ward",
        ),
        (
            {
                "estimands": (
                    plan_of().estimands[0],
                    equal_weights("reading", PARTS),
                )
            },
            {},
            "48 items of synthetic open:400 instead of 47",
        ),
        ({}, {"deviations": ["1:1 was trained before it was registered"]}, "1:1 was trained before it was registered"),
    ],
)
def test_a_plan_of_other_items_exams_cells_or_seeds_was_not_followed(
    runs: RunSet, tmp_path: Path, changed: dict[str, object], settings: dict[str, object], clause: str
) -> None:
    report, _ = reported(runs, tmp_path, plan_of(**changed), **settings)
    assert clause in registration(report).deviations
    assert not registration(report).as_registered


def test_the_registered_exam_is_the_one_that_was_asked(runs: RunSet, tmp_path: Path) -> None:
    report, _ = reported(runs, tmp_path, plan_of(selection=(card("synthetic", of_text("synthetic")),)))
    assert registration(report).deviations == ()


def test_a_contrast_that_the_report_compares_in_the_other_order_is_turned(runs: RunSet, tmp_path: Path) -> None:
    contrast = Contrast(cell="base", against="0:1", axis="reading")
    plan = plan_of(primary=contrast, family=Family(contrasts=(contrast,)))
    report, _ = reported(runs, tmp_path, plan)
    result, gain = registration(report), report.axis_gain("0:1", "reading")
    assert gain and result.difference
    losing = gain.difference.model_copy(update={"value": -0.2, "low": -0.3, "high": -0.1})
    assert (losing.outcome(), losing.turned.outcome()) == ("loses", "gains")
    assert result.outcome == {"gains": "loses", "loses": "gains"}.get(gain.outcome, gain.outcome)
    assert (result.difference.value, result.difference.low, result.difference.high) == (
        -gain.difference.value,
        -gain.difference.high,
        -gain.difference.low,
    )
    assert result.difference.bootstrap == tuple(-end for end in reversed(gain.difference.bootstrap))
    assert (result.difference.only_first, result.difference.p) == (gain.difference.only_second, gain.difference.p)
    assert not any("left out" in deviation for deviation in result.deviations)
    assert result.difference.turned == gain.difference


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (
            {"reading": {"synthetic gold": 1.0, "synthetic open:4000": 1.0}},
            "weights.reading names 'synthetic open:4000', which was not asked on this axis; asked were: synthetic",
        ),
        ({"knowledge": {"synthetic gold": 1.0}}, "weights.knowledge names 'synthetic gold', .* were: synthetic closed"),
    ],
)
def test_a_weight_of_a_part_that_was_not_asked_is_refused(runs: RunSet, weights: dict[str, object], words: str) -> None:
    with pytest.raises(MedctxError, match=words):
        compute(runs, ReportConfig.model_validate({"draws": 200, "weights": weights}))


def half(runs: RunSet, root: Path, kept: str) -> list[Path]:
    """Run folders with every second cluster: what selects cells, or what measures them again."""
    folders = []
    for run in runs.runs:
        assert run.folder is not None
        records = [
            record
            for record in read_records(run.folder / run_folder.VERDICTS, Judged)
            if (int(record.cluster.rpartition("-")[2]) % 2 == 0) == (kept == "selection")
        ]
        manifest = run.manifest.model_copy(update={"n": len(records)})
        run_folder.write_run(root / kept / run.name, manifest, records)
        folders.append(root / kept / run.name)
    return folders


@pytest.fixture(scope="module")
def halves(runs: RunSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Run folders of the items that select cells, and of those that measure them again."""
    root = tmp_path_factory.mktemp("halves")
    return half(runs, root, "selection"), half(runs, root, "confirmation")


def test_selected_cells_are_measured_again_on_items_that_selected_none(halves: tuple[list[Path], list[Path]]) -> None:
    selecting, confirming = halves
    config = ReportConfig(draws=200, confirmation=tuple(confirming[:2]))
    report = compute(collect(selecting), config)
    assert {(row.cell, row.other, row.part) for row in report.confirmations} == {
        ("1:1", "base", "reading"),
        ("1:1", "base", "taught-minus-untaught"),
    }
    other = compute(collect(confirming), ReportConfig(draws=200))
    for row in report.confirmations:
        selected, confirmed = report.axis_gain("1:1", row.axis), other.axis_gain("1:1", row.axis)
        assert selected and confirmed
        assert row.selected_gain == selected.difference
        assert row.confirmed_gain.value == pytest.approx(confirmed.difference.value)
        score = other.score("1:1", row.axis)
        assert score and row.confirmed.value == pytest.approx(score.accuracy.value)
        assert row.contaminated is None, "the confirmation items were not compared with training data"
    page = markdown.markdown_page(report, {})
    assert "## Selected and confirmed" in page


def test_confirmation_items_in_training_data_are_counted(halves: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    selecting, confirming = halves
    conditions: dict[str, set[str]] = {}
    for record in run_folder.read_run(confirming[0]).judged:
        conditions.setdefault(record.item, set()).add(record.condition.partition(":")[0])
    reading = sorted(item for item, kinds in conditions.items() if "open" in kinds)
    found = synthetic_runs.write_contamination_report(
        tmp_path / "found", [(item, "13-gram") for item in reading[:3]], taught=[reading[4]]
    )
    other = synthetic_runs.write_contamination_report(tmp_path / "other", [(reading[2], "exact")])
    config = ReportConfig(draws=200, confirmation=tuple(confirming[:2]), confirmation_contamination=(found, other))
    report = compute(collect(selecting), config)
    assert {row.axis: row.contaminated for row in report.confirmations}["reading"] == 3
    assert report.contamination is None, "the items that selected were not compared"


def changed_conditions(folders: list[Path], root: Path, change: Callable[[Judged], Judged | None]) -> tuple[Path, ...]:
    """Copies of run folders under ``root`` with their verdicts changed, or left out."""
    copies = [root / folder.name for folder in folders]
    for folder, copied in zip(folders, copies, strict=True):
        run = run_folder.read_run(folder)
        records = [record for old in run.judged if (record := change(old))]
        run_folder.write_run(copied, run.manifest.model_copy(update={"n": len(records)}), records)
    return tuple(copies)


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (("open:400",), "confirmation runs lack synthetic open:400, which reading weighs"),
        (("closed", "gold", "open:200", "open:400"), "ask no part of the report .* but synthetic counterfactual"),
    ],
)
def test_confirmation_runs_without_the_parts_of_the_report_are_refused(
    halves: tuple[list[Path], list[Path]], tmp_path: Path, lost: tuple[str, ...], words: str
) -> None:
    selecting, confirming = halves
    changed = changed_conditions(
        confirming[:2], tmp_path, lambda record: None if record.condition.startswith(lost) else record
    )
    with pytest.raises(MedctxError, match=words):
        compute(collect(selecting), ReportConfig(draws=200, confirmation=changed))


def test_an_axis_that_confirmation_runs_do_not_ask_is_named(
    halves: tuple[list[Path], list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    selecting, confirming = halves
    changed = changed_conditions(
        confirming[:2], tmp_path, lambda record: None if record.condition == "closed" else record
    )
    report = compute(collect(selecting), ReportConfig(draws=200, confirmation=changed))
    assert {row.axis for row in report.confirmations} == {"reading"}
    assert "do not ask synthetic closed, so only reading is confirmed" in " ".join(capsys.readouterr().err.split())


def test_items_that_selected_confirm_nothing(halves: tuple[list[Path], list[Path]]) -> None:
    selecting = halves[0]
    with pytest.raises(MedctxError, match="items that also selected the cells, first"):
        compute(collect(selecting), ReportConfig(draws=200, confirmation=tuple(selecting)))


def test_the_table_of_results_has_each_axis_its_difference_to_base_and_every_seed(runs: RunSet) -> None:
    report = compute(runs, ReportConfig(draws=200))
    header, *rows = results_table.rows(report)
    assert header[0] == "cell" and "taught minus untaught, to base" in header and "reading % (" in " ".join(header)
    assert [row[0] for row in rows] == [cell.name for cell in report.cells]
    gain = report.axis_gain("0:1", "reading")
    assert gain is not None
    row = next(row for row in rows if row[0] == "0:1")
    assert row[header.index("each seed", 4) - 1].startswith(points(gain.difference.value))
    assert rows[0][2] == "", "the base is not compared with itself"
    assert results_table.lines([header, *rows])[1].count("---") == len(header)
