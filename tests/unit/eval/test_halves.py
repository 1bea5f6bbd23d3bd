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
from medctx_eval.exams.registry import halves_of


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
    assert set(halves) == {one.cluster for one in items}
    for taught in (True, False):
        counts = Counter(halves[str(cluster)] for cluster, value in first.items() if value is taught)
        assert counts["selection"] - counts["confirmation"] in {0, 1}


def test_an_exam_is_the_sum_of_its_halves_and_both_keep_all_passages() -> None:
    def built(half: str) -> tuple[set[str], set[str], int]:
        config = ExamConfig.model_validate(
            {"exam": "records-reading", "half": half, "records": RecordsConfig(sheets=12, filler=10)}
        )
        exam = registry.build(config, CurriculumConfig(), 0)
        return {one.id for one in exam.items}, {one.cluster for one in exam.items}, len(exam.passages)

    (everything, _, passages), first, second = built("all"), built("selection"), built("confirmation")
    assert first[0] | second[0] == everything
    assert not first[1] & second[1]
    assert len(first[0]) == len(second[0]) == 24
    assert first[2] == second[2] == passages
