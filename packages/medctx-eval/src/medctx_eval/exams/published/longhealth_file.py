"""The publisher's file of LongHealth: one JSON object, patients by name.

A patient has ``texts`` ("text_0", "text_1", ... -> document) and ``questions`` with ``No``, ``question``, ``answer_a``
to ``answer_e``, ``correct`` (the text of the right option) and ``answer_location``: for each document that holds the
answer, the positions in it, as fractions of its length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError, model_validator

from medctx.errors import MedctxError
from medctx.io.jsonl import describe
from medctx.schemas.records import Record
from medctx_eval.exams.readers.published_files import read_json

LETTERS = "ABCDEFGHIJ"
GOLD_UNCLEAR = "the right answer is none of the options, or several"


class LongHealthQuestion(Record):
    """One question; ``spans``: for each document that holds the answer, where the passages begin, in [0, 1]."""

    number: str
    text: str
    options: dict[str, str]
    correct: str
    spans: dict[str, tuple[float, ...]]


class Patient(Record):
    """A patient's documents in order, and the questions on them."""

    id: str
    texts: dict[str, str]
    questions: tuple[LongHealthQuestion, ...]


class _Span(BaseModel):
    """Where a document holds the answer: a list of beginnings, a single one, or none."""

    start: tuple[float, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        start = value.get("start") if isinstance(value, Mapping) else None
        if isinstance(start, int | float):
            return {"start": (start,)}
        return {"start": start or ()}


class _QuestionEntry(BaseModel):
    number: int | str = Field(alias="No")
    question: str = Field(min_length=1)
    answer_a: str = ""
    answer_b: str = ""
    answer_c: str = ""
    answer_d: str = ""
    answer_e: str = ""
    correct: str
    answer_location: dict[str, _Span] | None = None


class _PatientEntry(BaseModel):
    texts: dict[str, str] = Field(min_length=1)
    questions: list[_QuestionEntry]


def _in_order(texts: dict[str, str]) -> dict[str, str]:
    """Documents in the order of their numbers (text_10 after text_9), without empty ones."""

    def place(key: str) -> tuple[int, str]:
        number = re.search(r"\d+$", key)
        return (int(number[0]) if number else -1, key)

    return {key: texts[key].strip() for key in sorted(texts, key=place) if texts[key].strip()}


def _question(entry: _QuestionEntry, texts: dict[str, str]) -> LongHealthQuestion:
    answers = [entry.answer_a, entry.answer_b, entry.answer_c, entry.answer_d, entry.answer_e]
    spans = {key: span.start for key, span in (entry.answer_location or {}).items() if key in texts}
    return LongHealthQuestion(
        number=str(entry.number),
        text=entry.question.strip(),
        options={letter: text.strip() for letter, text in zip(LETTERS, answers, strict=False) if text.strip()},
        correct=entry.correct,
        spans=spans,
    )


def read_patients(path: Path) -> list[Patient]:
    """Read the patients in the order of the file; entries without documents (a canary) are skipped.

    Raises MedctxError if a patient's entry is not in the publisher's form, or two questions share a number.
    """
    entries = read_json(path)
    if not isinstance(entries, dict):
        raise MedctxError(f"{path} is not LongHealth's file (no patients by name); give the file as published.")
    patients = []
    for name, entry in entries.items():
        if not isinstance(entry, dict) or "texts" not in entry:
            continue
        try:
            record = _PatientEntry.model_validate(entry)
        except ValidationError as error:
            raise MedctxError(
                f"The entry {name} of {path} is not a patient ({describe(error)}); give the file as published."
            ) from None
        texts = _in_order(record.texts)
        questions = tuple(_question(question, texts) for question in record.questions)
        if len({question.number for question in questions}) < len(questions):
            raise MedctxError(f"Two questions of {name} in {path} have the same No; give each its own.")
        patients.append(Patient(id=name, texts=texts, questions=questions))
    if len(patients) < 2:
        raise MedctxError(f"{path} holds {len(patients)} patients, but the tasks need two; give the file as published.")
    return patients


def _normalised(text: str) -> str:
    """The text without differences of spaces, case, width or a final full stop, for comparison."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(". ")


def gold_letter(question: LongHealthQuestion) -> str | None:
    """The only option that equals the right answer's text, or else contains it; None if there is no such option."""
    right = _normalised(question.correct)
    plain = {letter: _normalised(text) for letter, text in question.options.items()}
    same = [letter for letter, text in plain.items() if text == right]
    containing = [letter for letter, text in plain.items() if right and right in text]
    matches = same or containing
    return matches[0] if len(matches) == 1 and len(plain) > 1 else None
