"""What the exam of one cell takes, worked out before a run: questions, tokens, memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import Field, JsonValue

from medctx.schemas.records import Record
from study.config.sections import section
from study.config.study import Section, StudyConfig
from study.forecast.sizes import answering_bytes, size_of

QUESTION_TOKENS, EVIDENCE_TOKENS = 120, 60
"""A question with its options and a statement of its evidence, in tokens; what exams are taken to ask."""
ANSWER_TOKENS, DEPTHS, MODE, MODES = 256, 3, "text", ("text", "letter")
"""What ``medctx-eval run`` takes where it is not told."""
WRITTEN = frozenset({"generate"})
"""Modes whose answers the model writes; in the others it writes a token or none."""
_TOKENS = re.compile(r":(\d+)")


class ExamCost(Record):
    """The exam of one cell: ``items`` under all Conditions, each asked in every mode and order; the ``tokens`` that are
    computed where every Book is computed once, as engines with a prefix cache do; the tokens ``sent`` where every
    question brings its Book, as to a server of others; the tokens ``written`` at most.
    """

    items: int = Field(0, ge=0)
    tokens: int = Field(0, ge=0)
    sent: int = Field(0, ge=0)
    written: int = Field(0, ge=0)


def count(value: JsonValue, otherwise: int) -> int:
    """A whole number as a study says it, or what it is where the study does not."""
    return value if isinstance(value, int) else otherwise


def exams(told: Section) -> list[Section]:
    """The exams of an exam section."""
    found = told.get("exams")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _modes(told: Section) -> list[str]:
    modes = told.get("modes", list(MODES))
    return list(dict.fromkeys([str(told.get("mode", MODE)), *map(str, modes if isinstance(modes, list) else [])]))


def _seats(told: Section, items: Mapping[str, int]) -> Iterator[tuple[int, int, float]]:
    """For every Condition of every exam: items asked, tokens of a Book, and Books an item."""
    for exam in exams(told):
        limits, conditions, depths = exam.get("limits"), exam.get("conditions", ["closed"]), exam.get("depths")
        places = len(depths) if isinstance(depths, list) else count(depths, DEPTHS)
        every = count(exam.get("limit"), items.get(str(exam.get("exam")), 0))
        for condition in conditions if isinstance(conditions, list) else []:
            name = str(condition)
            asked = min(every, count(limits.get(name), every)) if isinstance(limits, dict) else every
            length = _TOKENS.search(name)
            if length:
                # As many items as there are depths are taken to share a Book.
                yield asked, int(length[1]), 1 / places
            else:
                yield asked, 0 if name == "closed" else EVIDENCE_TOKENS, 1


def exam_cost(told: Section, items: Mapping[str, int]) -> ExamCost:
    """Questions and tokens of an exam section. ``items``: how many each exam has, by its name."""
    modes, orders = _modes(told), count(told.get("orders"), 1)
    times = len(modes) * orders
    planned_items = list(_seats(told, items))
    every = sum(asked for asked, _, _ in planned_items)
    in_words = len(WRITTEN.intersection(modes)) * orders
    return ExamCost(
        items=every,
        tokens=round(sum(asked * (length * books + QUESTION_TOKENS * times) for asked, length, books in planned_items)),
        sent=sum(asked * (length + QUESTION_TOKENS) * times for asked, length, _ in planned_items),
        written=every * in_words * count(told.get("answer_tokens"), ANSWER_TOKENS),
    )


def longest(told: Section) -> int:
    """Tokens of the longest Book asked for, and room for its question."""
    lengths = [EVIDENCE_TOKENS]
    for exam in exams(told):
        conditions = exam.get("conditions")
        found = [_TOKENS.search(str(one)) for one in conditions] if isinstance(conditions, list) else []
        lengths += [int(one[1]) for one in found if one]
    return max(lengths) + 4 * QUESTION_TOKENS


def exam_memory(config: StudyConfig, label: str) -> int:
    """Bytes that examining a model is thought to need; 0 where its sizes are not known or it is elsewhere."""
    model = config.model(label)
    size = None if model.urls else size_of(model)
    return answering_bytes(size, longest(section(config, "exam"))) if size else 0
