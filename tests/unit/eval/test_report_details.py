"""Parts of a report whose truth is known: option orders, contamination, training, behaviour, the browser's items."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medctx.errors import MedctxError
from medctx.schemas.contamination import Kind
from medctx.schemas.records import ExamItem, Judged, Verdict
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.prompting.option_order import show
from medctx_eval.report.compute import compute, views_of
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load import parts
from medctx_eval.report.load.collect import RunSet, collect, collect_in_memory
from medctx_eval.report.load.exam_contents import ExamContents, items_of
from medctx_eval.report.model import Report
from medctx_eval.report.render.browser import selection, texts
from medctx_eval.report.render.browser.contents import contents
from medctx_eval.report.render.browser.document import BrowserContents
from tests.support import synthetic_runs

ITEMS = {entry.item.id: entry.item for entry in synthetic_runs.entries(24, 0) if entry.taught}
Answer = Callable[[ExamItem, int], str]


def answering(name: str, answer: Answer, turns: int = 4) -> RunFolder:
    """A model that gives ``answer`` (a letter of the item's own) to closed items in letter mode."""
    judged = tuple(
        Judged(
            item=item.id,
            exam="synthetic",
            condition="closed",
            axis="knowledge",
            cluster=item.cluster,
            mode="letter",
            order=turn,
            verdict=Verdict.CORRECT if (answer(item, turn),) == item.gold else Verdict.WRONG,
            chosen=(answer(item, turn),),
            gold=item.gold,
        )
        for item in ITEMS.values()
        for turn in range(turns)
    )
    manifest = synthetic_runs.manifest(name, len(judged)).model_copy(update={"mode": "letter"})
    return RunFolder(manifest=manifest, judged=judged)


def test_a_model_that_takes_the_first_option_flips_always_and_leans_to_its_letter() -> None:
    runs = [
        answering("first", lambda item, turn: show(item, turn).item_letters["A"]),
        answering("oracle", lambda item, turn: item.gold[0]),
        answering("stubborn", lambda item, turn: "C"),
    ]
    report = compute(
        collect_in_memory(("first", "oracle", "stubborn"), runs), ReportConfig(draws=100), ExamContents(ITEMS)
    )
    orders = {row.cell: row for row in report.option_orders}
    letters = {bias.cell: bias for bias in report.letter_bias}
    assert [row.orders for row in report.option_orders] == [4, 4, 4]
    first, oracle, stubborn = orders["first"], orders["oracle"], orders["stubborn"]
    assert (first.mean, first.all_right.value, first.flips.value) == (0.25, 0, 1)
    assert (oracle.mean, oracle.all_right.value, oracle.flips.value) == (1, 1, 0)
    assert stubborn.mean == stubborn.all_right.value  # the same option wherever it stands
    assert letters["first"].recall == {"A": 1, "B": 0, "C": 0, "D": 0}
    assert letters["first"].chosen["A"] == 1
    assert letters["first"].spread == pytest.approx((3 / 16) ** 0.5)
    assert (letters["oracle"].spread, letters["stubborn"].spread) == (0, pytest.approx(0))


def test_turned_letters_are_left_out_where_the_items_are_not_at_hand() -> None:
    report = compute(
        collect_in_memory(("oracle",), [answering("oracle", lambda item, turn: item.gold[0])]), ReportConfig()
    )
    assert [bias.n for bias in report.letter_bias] == [len(ITEMS)]  # the order given, of four


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSet, Report]:
    root = tmp_path_factory.mktemp("study")
    folders = synthetic_runs.write(root, ("base", "0:1"), facts=30, dossiers=12)
    contamination_report = synthetic_runs.write_contamination_report(
        root / "contamination", TOUCHED, taught=("k/5/0", "k/7/0")
    )
    config = ReportConfig(
        draws=100, contamination=contamination_report, training=synthetic_runs.write_training(root, ["0:1"])
    )
    collected = collect(folders)
    return collected, compute(collected, config, ExamContents(items_of(collected)))


TOUCHED: list[tuple[str, Kind]] = [
    ("k/0/0", "exact"),
    ("k/0/0", "13-gram"),
    ("k/0/1", "exact"),
    ("k/5/0", "13-gram"),
    ("u/39/0", "exact"),
]


def test_contaminated_items_are_counted_once_and_left_out_of_clean_scores(study: tuple[RunSet, Report]) -> None:
    report = study[1]
    assert report.contamination is not None
    # u/39 is untaught and in no headline number.
    assert (report.contamination.contaminated, report.contamination.items) == (3, 60 + 48)
    # k/5/0 is found as well as taught.
    assert report.contamination.taught == 1
    assert report.contamination.by_kind == {"13-gram question": 2, "exact question": 2}
    assert report.contamination.unchecked_exams == ()
    counts = {
        (score.cell, score.part): (score.all_items.n, score.clean_items.n if score.clean_items else 0)
        for score in report.clean_scores
    }
    # The first wordings are asked with their page, too.
    assert counts["0:1", "knowledge"] == (60, 56)
    assert counts["0:1", "reading"] == (30 + 144, 27 + 144)


def test_the_same_item_of_another_exam_is_another_item(tmp_path: Path) -> None:
    contamination_report = synthetic_runs.write_contamination_report(
        tmp_path, [("k/0/0", "exact")], exam="another exam"
    )
    aligned = collect_in_memory(("oracle",), [answering("oracle", lambda item, turn: item.gold[0])])
    result = compute(aligned, ReportConfig(draws=100, contamination=contamination_report)).contamination
    assert result is not None
    assert (result.contaminated, result.unchecked_exams) == (0, ("synthetic",))


def test_training_curves_are_thinned_and_end_where_training_ended(study: tuple[RunSet, Report]) -> None:
    (curve,) = study[1].training_curves
    assert (curve.name, curve.steps, curve.tokens[-1]) == ("0:1", 120, 40_800)
    assert len(curve.loss) == len(curve.tokens) <= 160
    assert set(curve.sources) == {"everyday", "phenotypes"}


def test_an_empty_training_log_is_refused_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "steps.jsonl").write_text("")
    aligned = collect_in_memory(("oracle",), [answering("oracle", lambda item, turn: item.gold[0])])
    with pytest.raises(MedctxError, match=r"key training\.oracle holds no steps"):
        compute(aligned, ReportConfig(training={"oracle": tmp_path / "steps.jsonl"}))


def test_behaviour_is_that_of_the_written_abilities(study: tuple[RunSet, Report]) -> None:
    base, medical = (behaviour.behaviour for behaviour in study[1].behaviours)
    assert base.knows and base.reads and base.invents and medical.knows and medical.reads and medical.invents
    assert base.context_gain and medical.context_gain and medical.trusts_memory
    assert medical.knows.value > base.knows.value
    assert medical.reads.value < base.reads.value
    assert medical.invents.value > base.invents.value
    assert medical.context_gain.value < base.context_gain.value
    assert [attribution.cell for attribution in study[1].attributions] == ["0:1"]


@pytest.mark.parametrize(
    ("part", "title", "alone"),
    [
        ("closed", "closed book", "closed"),
        ("gold", "evidence only", "gold"),
        ("open:2048:0.167", "open, 2,048 tokens, evidence at 17%", "open:2048"),
        ("distractor", "evidence removed", "distractor"),
        ("distractor:512", "evidence removed, 512 tokens", "distractor:512"),
        ("counterfactual:512:1", "evidence altered, 512 tokens, evidence at 100%", "counterfactual:512"),
        ("something new", "something new", "something new"),
    ],
)
def test_conditions_have_titles_and_lose_their_depth(part: str, title: str, alone: str) -> None:
    assert (parts.title(part), parts.without_depth(part)) == (title, alone)


def test_conditions_go_from_closed_over_open_to_removed_evidence() -> None:
    shuffled = ["distractor", "open:400:1", "gold", "open:1000", "closed", "counterfactual:8", "open:400:0"]
    assert sorted(shuffled, key=parts.sort_key) == [
        "closed", "gold", "open:400:0", "open:400:1", "open:1000", "counterfactual:8", "distractor",
    ]  # fmt: skip


def browse(study: tuple[RunSet, Report], limit: int, budget: int = 5_000_000) -> tuple[BrowserContents, Any]:
    collected, report = study
    sheets = views_of(collected, report)
    bases = {cell.name: report.base_of(cell.name) for cell in report.cells}
    result = contents(collected, sheets, bases, items_of(collected), limit, max_bytes=budget)
    assert result is not None
    return result, json.loads(result.document)


def test_the_browser_takes_changed_items_first_and_no_more_than_asked(study: tuple[RunSet, Report]) -> None:
    result, document = browse(study, 20)
    assert (result.shown, result.asked, len(document["items"])) == (20, 138, 20)
    changed = [any(flags for entry in item["asked"] for flags in entry["flags"]) for item in document["items"]]
    assert all(changed)
    everything, _ = browse(study, 1000)
    assert everything.shown == everything.asked == 138


def test_gained_and_lost_are_what_the_answers_say(study: tuple[RunSet, Report]) -> None:
    _, document = browse(study, 1000)
    correct = document["verdicts"].index("correct")
    for item in document["items"]:
        for entry in item["asked"]:
            base, medical = ([verdict for _, verdict in answers] == [correct] for answers in entry["answers"])
            flags = selection.GAINED * (medical and not base) + selection.LOST * (base and not medical)
            assert [flag & ~selection.FLIPPED for flag in entry["flags"]] == [0, flags]


def test_flips_are_read_from_the_mode_whose_options_changed_places(study: tuple[RunSet, Report]) -> None:
    """Text mode asks in one order, letter mode in four."""
    collected, report = study
    result, document = browse(study, 1000)
    assert result.flip_mode == "letter"
    letters: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for verdict in synthetic_runs.judged("0:1", 30, 12):
        if verdict.mode == "letter":
            letters.setdefault((verdict.item, verdict.condition), set()).add(verdict.chosen)
    for item in document["items"]:
        for entry in item["asked"]:
            answers = letters[item["id"], document["conditions"][entry["condition"]][0]]
            assert bool(entry["flags"][1] & selection.FLIPPED) == (len(answers) > 1)
    alone = contents(collected, views_of(collected, report)[:1], {}, {}, 5)
    assert alone is not None
    assert alone.flip_mode is None


def test_books_stand_once_and_replies_beside_their_answers(study: tuple[RunSet, Report]) -> None:
    _, document = browse(study, 1000)
    entries = [entry for item in document["items"] for entry in item["asked"]]
    assert {entry["book"] for entry in entries if "book" in entry} == set(range(len(document["books"])))
    assert all(("book" in entry) == (document["conditions"][entry["condition"]][0] != "closed") for entry in entries)
    assert all(
        len(reply) == len(answers)
        for entry in entries
        for reply, answers in zip(entry["replies"], entry["answers"], strict=True)
    )


def test_the_browser_keeps_its_budget_and_says_so(study: tuple[RunSet, Report]) -> None:
    result, _ = browse(study, 1000, budget=30_000)
    assert 0 < result.shown < result.asked
    assert len(result.document.encode()) < 32_000
    assert f"{result.asked - result.shown} that would have made the page too large are left out" in result.rule


def test_a_long_book_keeps_its_ends_and_the_evidence_and_says_what_is_missing() -> None:
    text = "begin " + "a" * 40_000 + " the evidence " + "b" * 40_000 + " end"
    shown = texts.excerpt(text, ["the evidence", "", "not in it"])
    assert len(shown) < texts.BOOK_CHARS
    assert shown.startswith("begin ") and shown.endswith(" end") and " the evidence " in shown
    left_out = [int(part.partition(" characters")[0].replace(",", "")) for part in shown.split("\n[")[1:]]
    marks = sum(len(f"\n[{count:,} characters left out]\n") for count in left_out)
    assert sum(left_out) + len(shown) - marks == len(text)
    assert texts.excerpt(text[:5000], ["the evidence"]) == text[:5000]
