"""A small exam made for tests: rooms with one coloured object each."""

from __future__ import annotations

from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.exam import Exam, seal_exam

COLOURS = ("red", "blue", "green", "white")


def made_exam(rooms: int = 12, questions: int = 2) -> Exam:
    passages = [Passage(id=f"r{n}", text=f"Room {n} holds a {COLOURS[n % 4]} chair.") for n in range(rooms)]
    items = [
        ExamItem(
            id=f"r{n}/{q}",
            exam="rooms",
            question=f"Which colour has the chair in room {n}? ({q})",
            options=dict(zip("ABCD", COLOURS, strict=True)),
            gold=("ABCD"[n % 4],),
            evidence=(f"r{n}",),
            rivals=(f"r{(n + 1) % rooms}",),
            cluster=f"r{n}",
        )
        for n in range(rooms)
        for q in range(questions)
    ]
    card = ExamCard(name="rooms", source="made for tests", licence="none", citation="none", generated=True)
    return seal_exam(card, items, passages)
