"""Floors, calibration, longest options and words by mode: small tables computed by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from medctx.io.digest import of_text
from medctx.io.jsonl import write_records
from medctx.schemas.exam_run import ExamCard, ExamManifest
from medctx.schemas.records import AnswerScore, Book, ExamItem, Judged, Reply, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.report.analyses.calibration import expected_calibration_error
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import collect
from medctx_eval.report.load.exam_contents import read_contents
from medctx_eval.report.model import Report
from medctx_eval.report.render import markdown

ITEMS = 24
OPTIONS = {"A": "iron", "B": "zinc", "C": "gold and copper", "D": "lead"}


def items() -> list[ExamItem]:
    return [
        ExamItem(id=f"i{number}", exam="made", question=f"Which {number}?", options=OPTIONS, gold=("A",),
                 evidence=("p",), cluster=f"c{number // 2}")
        for number in range(ITEMS)
    ]  # fmt: skip


def book(condition: str) -> Book:
    """Two options stand in the Book of ``gold``, all four in that of ``open:100``."""
    text = "It holds iron, not zinc." if condition == "gold" else "Iron, zinc, lead; gold and copper."
    return Book(id=condition, text=text, tokens=10)


def write_run(root: Path, name: str, right: dict[str, int], likelihood: float, adapter: str) -> Path:
    """A run that is right on the first items of each condition, else takes the longest option.

    Its likelihood of the chosen option is ``likelihood``, the rest is shared.
    """
    judged, replies = [], []
    for condition in ("closed", "gold", "open:100"):
        for number, item in enumerate(items()):
            correct = number < right[condition]
            chosen = "A" if correct else "C"
            rest = (1 - likelihood) / 3
            replies.append(
                Reply(
                    key=f"{name}{condition}{number}", item=item.id, condition=condition,
                    book="" if condition == "closed" else condition, form="text",
                    scores=tuple(
                        AnswerScore(letters=(letter,), logprob=math.log(likelihood if letter == chosen else rest),
                                    tokens=1)
                        for letter in OPTIONS
                    ),
                )
            )  # fmt: skip
            judged += [
                Judged(
                    item=item.id, exam="made", condition=condition,
                    axis="knowledge" if condition == "closed" else "reading", cluster=item.cluster, mode=mode,
                    verdict=Verdict.CORRECT if correct else Verdict.WRONG, chosen=(chosen,), gold=("A",),
                    book="" if condition == "closed" else condition,
                )
                for mode in ("text", "text-raw")
            ]  # fmt: skip
    manifest = ExamManifest(
        model=name, cell=name, weights_digest=of_text("weights"), adapter_digest=adapter, engine="transformers",
        mode="text", modes=("text", "text-raw"), exam_plan="plan", conditions=("closed", "gold", "open:100"),
        exams=(ExamCard(name="made", source="", licence="", citation="", items=ITEMS, digest="d"),), n=len(judged),
    )  # fmt: skip
    write_records(root / name / run_folder.REPLIES, replies)
    run_folder.write_run(root / name, manifest, judged)
    return root / name


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    root = tmp_path_factory.mktemp("floors")
    write_records(root / "plan" / run_folder.ITEMS, items())
    write_records(root / "plan" / run_folder.BOOKS, [book("gold"), book("open:100")])
    folders = [
        write_run(root, "base", {"closed": 6, "gold": 24, "open:100": 6}, 0.7, ""),
        write_run(root, "tuned", {"closed": 24, "gold": 24, "open:100": 24}, 0.7, of_text("tuned")),
    ]
    run_set = collect(folders)
    return compute(run_set, ReportConfig(draws=200), read_contents(run_set))


def test_blind_readers_guess_among_what_they_have(report: Report) -> None:
    floors = {floor.part: (floor.question_blind, floor.book_blind) for floor in report.floors}
    assert floors == {
        "knowledge": (0.25, 0.25),
        "closed": (0.25, 0.25),
        "gold": (0.5, 0.25),
        "open:100": (0.25, 0.25),
        "reading": (pytest.approx(0.375), pytest.approx(0.25)),
    }


def test_a_cell_is_held_against_the_reader_without_the_question(report: Report) -> None:
    assert {row.part for row in report.above_floors} == {"reading", "gold", "open:100"}
    gold, opened = (report.above_floor("base", part) for part in ("gold", "open:100"))
    reading = report.above_floor("base", "reading")
    assert gold and opened and reading
    assert (gold.difference.value, opened.difference.value) == (pytest.approx(0.5), pytest.approx(0))
    assert reading.difference.value == pytest.approx((0.5 + 0) / 2)
    assert (gold.outcome, opened.outcome) == ("gains", "not told apart")
    assert reading.difference.low <= 0.25 <= reading.difference.high
    (sentence,) = [warning for warning in report.warnings if "without the question" in warning]
    assert sentence.startswith(
        "base is not shown to read better than a reader without the question under open:100 (0.0"
    )


def test_choices_of_the_longest_option_are_held_against_indifference(report: Report) -> None:
    rows = {(row.cell, row.part): row for row in report.longest_options}
    assert {row.indifferent for row in rows.values()} == {0.25}
    assert rows["base", "knowledge"].chosen.value == pytest.approx(18 / 24)
    assert rows["base", "reading"].chosen.value == pytest.approx((0 + 18 / 24) / 2)
    assert rows["tuned", "knowledge"].chosen.value == 0


def test_confidence_is_the_share_of_the_likelihood(report: Report) -> None:
    rows = {(row.cell, row.part): row for row in report.calibrations}
    base, tuned = rows["base", "knowledge"], rows["tuned", "knowledge"]
    assert (base.n, base.confidence, base.accuracy) == (24, pytest.approx(0.7), 0.25)
    assert base.error == pytest.approx(0.45)
    assert tuned.error == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        ([0.95, 0.95, 0.55, 0.55], [1, 1, 1, 0], 0.05 / 2 + 0.05 / 2),
        ([1.0, 1.0], [1, 0], 0.5),
        ([0.25, 0.75], [0, 1], 0.25),
    ],
)
def test_calibration_error_by_hand(confidence: Sequence[float], right: Sequence[int], error: float) -> None:
    result, bins = expected_calibration_error(np.array(confidence), np.array(right, dtype=float))
    assert result == pytest.approx(error)
    assert sum(row.n for row in bins) == len(confidence)


def test_words_of_the_text_modes_stand_side_by_side_and_a_change_is_a_warning(report: Report) -> None:
    assert {(row.cell, row.axis): row.words for row in report.word_changes} == {
        ("tuned", axis): {"text": "gains", "text-raw": "gains"} for axis in ("knowledge", "reading")
    }
    assert not any("depends on how" in warning for warning in report.warnings)
    changed = tuple(
        row.model_copy(update={"outcome": "not told apart"}) if row.mode == "text-raw" else row
        for row in report.comparisons
    )
    warnings = report.model_copy(update={"comparisons": changed}).warnings
    assert [warning for warning in warnings if "depends on how" in warning] == [
        f"The word for {axis} of tuned depends on how the options' texts are scored: gains in text, not told apart in "
        "text-raw."
        for axis in ("knowledge", "reading")
    ]


def test_the_pages_show_floors_beside_reading(report: Report) -> None:
    page = markdown.markdown_page(report, {})
    assert "| reading % | question-blind % |" in page
    assert "## Above question-blind, points" in page
    assert "## Calibration, ten bins (Guo et al. 2017), text mode" in page
    assert "## Choice of the longest option, text mode" in page
    assert "## Words by scoring of the options' texts" in page
