"""Questions of the test split of CMB-Exam, in every form they are distributed in.

The publisher's form is two JSON lists: questions with ``id``, ``exam_type`` (six categories), ``exam_class``,
``exam_subject``, ``question_type``, ``question`` and ``option`` (letter -> text, blank where there are fewer), and
answers with ``id`` and ``answer`` (letters run together). A list that holds the answers itself, and JSON lines in the
row schema (``medctx_eval.exams.schema``), are read too.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import read_rows
from medctx_eval.exams.readers.published_files import read_json

QUESTIONS = "CMB-test-choice-question-merge.json"
ANSWERS = "CMB-test-choice-answer.json"
MULTIPLE = "多项选择题"
SOURCE = "cmb"

NO_GOLD = "no gold"
GOLD_NOT_OFFERED = "gold not among the options"
NO_QUESTION = "no question or fewer than two options"
OTHER_SOURCE = "of another exam"


@dataclass(frozen=True, slots=True)
class CmbQuestion:
    """One question; ``category`` is one of the six exams, ``subject`` its finest subdivision."""

    id: str
    category: str
    group: str
    subject: str
    text: str
    options: dict[str, str]
    gold: tuple[str, ...]
    multiple: bool


def _text(row: dict[str, object], *keys: str) -> str:
    for key in keys:
        value = row.get(key)
        if isinstance(value, str | int) and str(value).strip():
            return str(value).strip()
    return ""


def _options(row: dict[str, object]) -> dict[str, str]:
    """Options by letter, without blank ones."""
    options = row.get("option", row.get("options"))
    if not isinstance(options, dict):
        return {}
    pairs = ((str(letter).strip().upper(), str(text or "").strip()) for letter, text in options.items())
    return {letter: text for letter, text in sorted(pairs) if letter and text}


def _letters(answer: str) -> tuple[str, ...]:
    """The letters of an answer, normalised to half width, without separators."""
    plain = unicodedata.normalize("NFKC", answer).upper()
    return tuple(sorted(set(re.sub(r"[\s,;、/|]+", "", plain))))


def _question(row: dict[str, object], answers: dict[str, str]) -> CmbQuestion | str:
    """The question of a row, or the reason why it has none."""
    name = _text(row, "id")
    source = _text(row, "source")
    if source and not source.lower().startswith(SOURCE):
        return OTHER_SOURCE
    text, options = _text(row, "question"), _options(row)
    if not text or len(options) < 2:
        return NO_QUESTION
    gold = _letters(answers.get(name, "") or _text(row, "answer"))
    if not gold:
        return NO_GOLD
    if not set(gold) <= set(options):
        return GOLD_NOT_OFFERED
    return CmbQuestion(
        id=name,
        category=_text(row, "exam_type"),
        group=_text(row, "exam_class"),
        subject=_text(row, "exam_subject", "subject"),
        text=text,
        options=options,
        gold=gold,
        multiple=_text(row, "question_type") == MULTIPLE or len(gold) > 1,
    )


def _rows(path: Path) -> list[dict[str, object]]:
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return [row for _, row in read_rows(path)]
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MedctxError(f"{path} is not a list of questions or answers of CMB-Exam; give the file as published.")
    return rows


def files_in(path: Path) -> tuple[Path, Path | None]:
    """The files of questions and of answers (None if ``path`` is one file that holds both)."""
    if path.is_file():
        return path, None
    matches = [sorted(path.rglob(name)) for name in (QUESTIONS, ANSWERS)]
    for name, files in zip((QUESTIONS, ANSWERS), matches, strict=True):
        if not files:
            raise MedctxError(f"{path} holds no {name}; give a folder with both of CMB's test files, or one file.")
    return matches[0][0], matches[1][0]


def _unique(questions: Iterable[CmbQuestion], path: Path) -> list[CmbQuestion]:
    seen: set[str] = set()
    kept = []
    for question in questions:
        if not question.id or question.id in seen:
            raise MedctxError(f"{path} has no unique id for the question {question.text[:40]!r}; give it one.")
        seen.add(question.id)
        kept.append(question)
    return kept


def read_questions(questions: Path, answers: Path | None) -> tuple[list[CmbQuestion], dict[str, int]]:
    """Read the usable questions in the order of the file; also returns how many are left out, by reason."""
    golds = {_text(row, "id"): _text(row, "answer") for row in _rows(answers)} if answers else {}
    parsed = [_question(row, golds) for row in _rows(questions)]
    dropped = Counter(entry for entry in parsed if isinstance(entry, str))
    kept = _unique((entry for entry in parsed if isinstance(entry, CmbQuestion)), questions)
    if not kept:
        raise MedctxError(
            f"{questions} holds no usable question of CMB-Exam ({dict(dropped)}); give the file as published."
        )
    return kept, dict(sorted(dropped.items()))
