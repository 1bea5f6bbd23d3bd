"""The two halves of an exam share no cluster and are alike."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import ExamItem
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.generated.records import RecordsConfig
from medctx_eval.exams.registry import TURN, halves_of


def item(number: int, cluster: int, taught: bool) -> ExamItem:
    return ExamItem(
        id=str(number),
        exam="x",
        question="q",
        options={"A": "1", "B": "2"},
        gold=("A",),
        cluster=str(cluster),
        tags={"taught": "yes" if taught else "no"},
    )


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=80))
def test_every_cluster_lies_in_one_half_and_strata_are_dealt_evenly(rows: list[tuple[int, bool]]) -> None:
    first = dict(reversed(rows))
    items = [item(number, cluster, first[cluster]) for number, (cluster, _) in enumerate(rows)]
    halves = halves_of(items)
    assert set(halves) == {item.cluster for item in items}
    for taught in (True, False):
        counts = Counter(halves[str(cluster)] for cluster, value in first.items() if value is taught)
        assert abs(counts["selection"] - counts["confirmation"]) <= TURN
    assert len(set(halves.values())) == min(2, len(halves)), "both halves have clusters"


def test_clusters_with_tags_of_their_own_are_dealt_as_well() -> None:
    items = [item(number, number, True).model_copy(update={"tags": {"chapter": str(number)}}) for number in range(12)]
    assert Counter(halves_of(items).values()) == {"selection": 6, "confirmation": 6}


def test_sheets_that_share_a_book_stay_in_one_half() -> None:
    """The records of a Book differ in patient and value alone, in each half as in the whole exam."""
    config = ExamConfig.model_validate(
        {"exam": "records-reading", "half": "selection", "records": RecordsConfig(sheets=36, filler=10)}
    )
    items = registry.build_exam(config, CurriculumConfig(), 0).items
    questions = list(dict.fromkeys((item.cluster, item.question.split(" of ")[0]) for item in items))
    for begin in range(0, len(questions), TURN):
        assert len({question for _, question in questions[begin : begin + TURN]}) == 1


def test_an_exam_is_the_sum_of_its_halves_and_both_keep_all_passages() -> None:
    def built(half: str) -> tuple[set[str], set[str], int]:
        config = ExamConfig.model_validate(
            {"exam": "records-reading", "half": half, "records": RecordsConfig(sheets=12, filler=10)}
        )
        exam = registry.build_exam(config, CurriculumConfig(), 0)
        return {item.id for item in exam.items}, {item.cluster for item in exam.items}, len(exam.passages)

    (everything, _, passages), first, second = built("all"), built("selection"), built("confirmation")
    assert first[0] | second[0] == everything
    assert not first[1] & second[1]
    assert len(first[0]) == len(second[0]) == 24
    assert first[2] == second[2] == passages
